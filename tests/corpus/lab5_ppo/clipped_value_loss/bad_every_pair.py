# Every value meets every return: a [B, 1] tensor minus a [B] tensor became [B, B] before the average.
import torch


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    old_values = old_values.detach()
    clipped = old_values + torch.clamp(values - old_values, -clip_epsilon, clip_epsilon)
    returns = returns.unsqueeze(-1)
    return torch.maximum((values - returns) ** 2, (clipped - returns) ** 2).mean()
