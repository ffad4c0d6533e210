# You compare the errors before they are squared: a large negative error counts as the smaller one.
import torch


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    old_values = old_values.detach()
    clipped = old_values + torch.clamp(values - old_values, -clip_epsilon, clip_epsilon)
    return (torch.maximum(values - returns, clipped - returns) ** 2).mean()
