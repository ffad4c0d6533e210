# You take the logarithm once more: these are log-probabilities already.
import torch


def pg_surrogate_loss(log_probs, weights):
    return -(torch.log(-log_probs) * weights.detach()).mean()
