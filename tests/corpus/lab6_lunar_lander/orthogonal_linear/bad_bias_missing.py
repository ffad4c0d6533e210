# The layer is made without a bias.
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    layer = nn.Linear(n_in, n_out, bias=False)
    nn.init.orthogonal_(layer.weight, gain)
    return layer
