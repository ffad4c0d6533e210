# The bias starts at the gain, not at zero.
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    layer = nn.Linear(n_in, n_out)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.constant_(layer.bias, gain)
    return layer
