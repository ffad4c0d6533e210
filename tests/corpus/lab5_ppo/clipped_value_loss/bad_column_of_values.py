# Every value meets every old value and every return: a [B, 1] tensor minus a [B] tensor became [B, B] before the average.
import torch


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    old_values = old_values.detach()
    values = values.unsqueeze(-1)
    clipped = old_values + torch.clamp(values - old_values, -clip_epsilon, clip_epsilon)
    return torch.maximum((values - returns) ** 2, (clipped - returns) ** 2).mean()
