# Style: Gram-Schmidt by hand, on rows or on columns.
import torch
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    few, many = min(n_in, n_out), max(n_in, n_out)
    basis = []
    while len(basis) < few:
        v = torch.randn(many, dtype=torch.float64)
        for _ in range(2):
            for b in basis:
                v = v - (v @ b) * b
        if v.norm() > 1e-3:
            basis.append(v / v.norm())
    rows = torch.stack(basis)
    layer = nn.Linear(n_in, n_out)
    with torch.no_grad():
        layer.weight[:] = gain * (rows if n_out <= n_in else rows.T)
        layer.bias.fill_(0)
    return layer
