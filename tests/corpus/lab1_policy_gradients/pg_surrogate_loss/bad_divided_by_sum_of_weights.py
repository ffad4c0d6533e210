# You divide by the sum of the weights; the mean over the batch divides by B.
import torch


def pg_surrogate_loss(log_probs, weights):
    w = weights.detach()
    return -(log_probs * w).sum() / w.sum()
