# You compute under torch.no_grad: nothing can be learned from this loss.
import torch


def pg_surrogate_loss(log_probs, weights):
    with torch.no_grad():
        return -(log_probs * weights).mean()
