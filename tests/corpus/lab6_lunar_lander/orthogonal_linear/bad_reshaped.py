# An orthogonal [n_in, n_out] matrix is reshaped where it should be transposed, which mixes its rows up.
import torch
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    layer = nn.Linear(n_in, n_out)
    with torch.no_grad():
        layer.weight.copy_(nn.init.orthogonal_(torch.empty(n_in, n_out), gain).reshape(n_out, n_in))
    nn.init.zeros_(layer.bias)
    return layer
