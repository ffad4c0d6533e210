# You take the size of the weights and lose their sign: bad actions are made likelier too.
import torch


def pg_surrogate_loss(log_probs, weights):
    return -(log_probs * weights.detach().abs()).mean()
