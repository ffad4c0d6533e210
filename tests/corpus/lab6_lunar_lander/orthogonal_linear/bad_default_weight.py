# The weight keeps PyTorch's default start, multiplied by the gain.
import torch
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    layer = nn.Linear(n_in, n_out)
    with torch.no_grad():
        layer.weight *= gain
        layer.bias.zero_()
    return layer
