# You add up the batch; its mean is due.
import torch


def pg_surrogate_loss(log_probs, weights):
    return -(log_probs * weights.detach()).sum()
