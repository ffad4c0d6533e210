# The bias keeps PyTorch's random start.
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    layer = nn.Linear(n_in, n_out)
    nn.init.orthogonal_(layer.weight, gain)
    return layer
