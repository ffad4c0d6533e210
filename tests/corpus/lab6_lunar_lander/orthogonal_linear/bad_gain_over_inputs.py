# The gain is divided by the root of the number of inputs, as for independent entries.
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    layer = nn.Linear(n_in, n_out)
    nn.init.orthogonal_(layer.weight, gain / n_in**0.5)
    nn.init.zeros_(layer.bias)
    return layer
