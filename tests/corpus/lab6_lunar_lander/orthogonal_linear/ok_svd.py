# Style: singular value decomposition with the singular values left out, in float64.
import torch
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    u, _, vh = torch.linalg.svd(torch.randn(n_out, n_in, dtype=torch.float64), full_matrices=False)
    layer = nn.Linear(n_in, n_out)
    layer.weight.data = (gain * u @ vh).float()
    layer.bias.data = torch.zeros(n_out)
    return layer
