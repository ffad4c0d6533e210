import torch


def pg_surrogate_loss(log_probs, weights):
    with torch.no_grad():
        factors = weights / weights.numel()
    return (-log_probs * factors).sum()
