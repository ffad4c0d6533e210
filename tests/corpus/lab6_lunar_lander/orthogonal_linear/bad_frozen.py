# The weight is made constant: training cannot move it.
import torch
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    layer = nn.Linear(n_in, n_out)
    weight = nn.init.orthogonal_(torch.empty(n_out, n_in), gain)
    layer.weight = nn.Parameter(weight, requires_grad=False)
    nn.init.zeros_(layer.bias)
    return layer
