# You change the caller's weights in place.
import torch


def pg_surrogate_loss(log_probs, weights):
    with torch.no_grad():
        weights.neg_()
    return (log_probs * weights.detach()).mean()
