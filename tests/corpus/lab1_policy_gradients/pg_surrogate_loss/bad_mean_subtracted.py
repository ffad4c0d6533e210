# You subtract the mean of the weights; the loss takes them as they are.
import torch


def pg_surrogate_loss(log_probs, weights):
    w = weights.detach()
    return -(log_probs * (w - w.mean())).mean()
