# It returns the weight, not the layer.
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    layer = nn.Linear(n_in, n_out)
    nn.init.zeros_(layer.bias)
    return nn.init.orthogonal_(layer.weight, gain)
