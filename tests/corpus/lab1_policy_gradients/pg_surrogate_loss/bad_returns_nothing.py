# You compute the loss and do not return it.
import torch


def pg_surrogate_loss(log_probs, weights):
    loss = -(log_probs * weights.detach()).mean()
