# A column meets a row, and all B times B products are added up.
import torch


def pg_surrogate_loss(log_probs, weights):
    return -(log_probs * weights.detach()[:, None]).sum()
