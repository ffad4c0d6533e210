# Style: torch.where picks the prediction with the larger error, then F.mse_loss.
import torch
from torch.nn import functional as F


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    old = old_values.detach()
    clipped = old + (values - old).clamp(min=-clip_epsilon, max=clip_epsilon)
    plain_is_worse = (values - returns).abs() >= (clipped - returns).abs()
    return F.mse_loss(torch.where(plain_is_worse, values, clipped), returns)
