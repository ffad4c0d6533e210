# You multiply the mean log-probability with the mean weight; the mean of the products is due.
import torch


def pg_surrogate_loss(log_probs, weights):
    return -log_probs.mean() * weights.detach().mean()
