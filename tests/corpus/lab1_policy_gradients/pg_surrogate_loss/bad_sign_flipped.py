# Your sign is the wrong way round: minimizing this makes good actions rarer.
import torch


def pg_surrogate_loss(log_probs, weights):
    return (log_probs * weights.detach()).mean()
