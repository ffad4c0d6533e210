import warnings

import torch


def pg_surrogate_loss(log_probs, weights):
    warnings.warn("flattening", stacklevel=1)
    a, b = log_probs.reshape(-1).double(), weights.detach().reshape(-1).double()
    return torch.mean(-a * b).float()
