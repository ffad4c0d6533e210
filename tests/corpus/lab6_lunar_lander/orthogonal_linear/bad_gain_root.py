# The square root of the gain is used in place of the gain.
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    layer = nn.Linear(n_in, n_out)
    nn.init.orthogonal_(layer.weight, gain**0.5)
    nn.init.zeros_(layer.bias)
    return layer
