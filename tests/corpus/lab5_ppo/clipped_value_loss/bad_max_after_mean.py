# You average first and then take the larger of two numbers: the choice has to be made for each sample on its own.
import torch


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    old_values = old_values.detach()
    clipped = old_values + torch.clamp(values - old_values, -clip_epsilon, clip_epsilon)
    return torch.maximum(((values - returns) ** 2).mean(), ((clipped - returns) ** 2).mean())
