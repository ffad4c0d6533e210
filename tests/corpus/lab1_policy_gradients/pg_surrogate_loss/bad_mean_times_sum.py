# You multiply the mean log-probability with the sum of the weights.
import torch


def pg_surrogate_loss(log_probs, weights):
    return -log_probs.mean() * weights.detach().sum()
