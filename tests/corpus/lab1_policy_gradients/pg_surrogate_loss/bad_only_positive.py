# You leave out the samples with a negative weight; they say which actions to avoid.
import torch


def pg_surrogate_loss(log_probs, weights):
    return -(log_probs * weights.detach().clamp(min=0)).mean()
