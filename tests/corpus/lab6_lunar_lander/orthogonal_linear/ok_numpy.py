# Style: NumPy's global random stream, and new parameters.
import numpy as np
import torch
from torch import nn


def orthogonal_linear(n_in, n_out, gain):
    q, _ = np.linalg.qr(np.random.randn(max(n_in, n_out), min(n_in, n_out)))
    if n_out < n_in:
        q = q.T
    layer = nn.Linear(n_in, n_out)
    layer.weight = nn.Parameter(torch.tensor(gain * q, dtype=torch.float32))
    layer.bias = nn.Parameter(torch.zeros(n_out))
    return layer
