# You return one number per sample; the mean over the batch is missing.
import torch


def pg_surrogate_loss(log_probs, weights):
    return -log_probs * weights.detach()
