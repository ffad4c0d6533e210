# The weight is assigned as a plain tensor, which a layer does not take as its parameter.
import torch
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    layer = nn.Linear(n_in, n_out)
    layer.weight = nn.init.orthogonal_(torch.empty(n_out, n_in), gain)
    layer.bias = torch.zeros(n_out)
    return layer
