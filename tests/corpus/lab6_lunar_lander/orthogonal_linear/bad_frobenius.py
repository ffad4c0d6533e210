# The whole matrix is scaled to length gain, not each row or column.
import torch
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    layer = nn.Linear(n_in, n_out)
    nn.init.orthogonal_(layer.weight)
    with torch.no_grad():
        layer.weight *= gain / layer.weight.norm()
    nn.init.zeros_(layer.bias)
    return layer
