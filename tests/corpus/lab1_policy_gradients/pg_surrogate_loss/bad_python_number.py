# You return a plain number: no gradient can flow through it.
import torch


def pg_surrogate_loss(log_probs, weights):
    return -(log_probs * weights.detach()).mean().item()
