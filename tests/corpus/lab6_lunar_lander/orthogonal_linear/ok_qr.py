# Style: QR of a Gaussian matrix, the tall way round, with the signs of R's diagonal.
import torch
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    tall = torch.randn(max(n_in, n_out), min(n_in, n_out))
    q, r = torch.linalg.qr(tall)
    q = q * r.diagonal().sign()
    layer = nn.Linear(n_in, n_out)
    with torch.no_grad():
        layer.weight.copy_(gain * (q if n_out >= n_in else q.T))
        layer.bias.zero_()
    return layer
