# You scale the weights to mean 0 and standard deviation 1; the loss takes them as they are.
import torch


def pg_surrogate_loss(log_probs, weights):
    w = weights.detach()
    w = (w - w.mean()) / (w.std(correction=0) + 1e-8)
    return -(log_probs * w).mean()
