# All rows get the same length, but they are not at right angles to each other.
import torch
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    layer = nn.Linear(n_in, n_out)
    with torch.no_grad():
        rows = torch.randn(n_out, n_in)
        layer.weight.copy_(gain * rows / rows.norm(dim=1, keepdim=True))
        layer.bias.zero_()
    return layer
