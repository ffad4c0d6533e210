# You divide by B - 1; the mean divides by B.
import torch


def pg_surrogate_loss(log_probs, weights):
    return -(log_probs * weights.detach()).sum() / max(len(log_probs) - 1, 1)
