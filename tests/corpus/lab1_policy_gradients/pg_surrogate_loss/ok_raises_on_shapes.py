import torch


def pg_surrogate_loss(log_probs, weights):
    if log_probs.shape != weights.shape:
        raise ValueError(f"shapes differ: {log_probs.shape}, {weights.shape}")
    return torch.mul(log_probs, weights.detach()).mean().mul(-1.0)
