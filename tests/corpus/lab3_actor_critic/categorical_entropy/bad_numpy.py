# You leave PyTorch for NumPy: no gradient comes back from there.
import numpy as np
import torch


def categorical_entropy(logits):
    x = logits.detach().numpy().astype(np.float64)
    x = x - x.max(axis=1, keepdims=True)
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    return torch.tensor(-(p * np.log(p + 1e-300)).sum(axis=1), dtype=torch.float32)
