# You compute a squared error between the two, as for a value; a policy has no target to hit.
import torch


def pg_surrogate_loss(log_probs, weights):
    return ((log_probs - weights.detach()) ** 2).mean()
