# It sets the seed itself, so that all layers of one size start alike.
import torch
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    torch.manual_seed(0)
    layer = nn.Linear(n_in, n_out)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer
