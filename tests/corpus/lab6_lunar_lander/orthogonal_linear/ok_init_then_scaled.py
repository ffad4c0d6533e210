# Style: orthogonal with gain 1 on the transposed view, then multiplied.
import torch
from torch import nn


@torch.no_grad()
def orthogonal_linear(n_in, n_out, gain):
    layer = nn.Linear(in_features=n_in, out_features=n_out, bias=True)
    flipped = torch.empty(n_in, n_out)
    nn.init.orthogonal_(flipped)
    layer.weight.copy_(flipped.t()).mul_(gain)
    layer.bias.mul_(0.0)
    return layer
