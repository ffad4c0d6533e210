# The weight has independent random entries (Xavier), not orthogonal rows or columns.
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    layer = nn.Linear(n_in, n_out)
    nn.init.xavier_normal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer
