# Style: the plain squared error plus what the clipped one has beyond it.
import torch
from torch.nn import functional as F


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    old = old_values.detach()
    clipped = F.hardtanh(values - old, -clip_epsilon, clip_epsilon) + old
    plain_error = (values - returns).pow(2)
    clipped_error = (clipped - returns).pow(2)
    return (plain_error + F.relu(clipped_error - plain_error)).mean()
