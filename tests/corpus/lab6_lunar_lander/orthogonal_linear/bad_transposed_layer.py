# Inputs and outputs have changed places.
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    layer = nn.Linear(n_out, n_in)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer
