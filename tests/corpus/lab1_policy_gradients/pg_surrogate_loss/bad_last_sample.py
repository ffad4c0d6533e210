# You return the loss of the last sample only.
import torch


def pg_surrogate_loss(log_probs, weights):
    for log_prob, weight in zip(log_probs, weights.detach()):
        loss = -log_prob * weight
    return loss
