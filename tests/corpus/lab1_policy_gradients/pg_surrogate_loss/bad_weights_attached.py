# The gradient also flows into the weights; they are data.
import torch


def pg_surrogate_loss(log_probs, weights):
    return -(log_probs * weights).mean()
