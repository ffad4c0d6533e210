# You detach the log-probabilities: nothing can be learned from this loss.
import torch


def pg_surrogate_loss(log_probs, weights):
    return -(log_probs.detach() * weights).mean()
