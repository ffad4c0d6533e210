# You multiply the weights with the probabilities, not with their logarithms.
import torch


def pg_surrogate_loss(log_probs, weights):
    return -(log_probs.exp() * weights.detach()).mean()
