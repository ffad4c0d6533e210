import torch


def pg_surrogate_loss(log_probs, weights):
    objective = torch.einsum("b,b->", log_probs, weights.data)
    return objective.neg().div(log_probs.size(0))
