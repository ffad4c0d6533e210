import torch


def pg_surrogate_loss(log_probs, weights):
    total = 0.0
    for log_prob, weight in zip(log_probs, weights.tolist()):
        total = total - log_prob * weight
    return total / len(log_probs)
