# A copy of the weight is made orthogonal; the layer keeps its own.
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    layer = nn.Linear(n_in, n_out)
    weight = layer.weight.detach().clone()
    nn.init.orthogonal_(weight, gain)
    nn.init.zeros_(layer.bias)
    return layer
