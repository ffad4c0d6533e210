# The gain is fixed at the square root of 2 instead of taken from the argument.
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    layer = nn.Linear(n_in, n_out)
    nn.init.orthogonal_(layer.weight, 2**0.5)
    nn.init.zeros_(layer.bias)
    return layer
