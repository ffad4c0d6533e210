# You have written it for two actions only.
import torch


def categorical_entropy(logits):
    log_p = logits.log_softmax(dim=-1)
    p = log_p.exp()
    return -(p[:, 0] * log_p[:, 0] + p[:, 1] * log_p[:, 1])
