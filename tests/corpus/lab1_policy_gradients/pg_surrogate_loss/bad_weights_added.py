# You add weights and log-probabilities; they are multiplied.
import torch


def pg_surrogate_loss(log_probs, weights):
    return -(log_probs + weights.detach()).mean()
