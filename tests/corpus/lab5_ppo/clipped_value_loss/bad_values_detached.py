# The values are detached: the number is right, but no gradient reaches the critic, so it never learns.
import torch


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    values = values.detach()
    old_values = old_values.detach()
    clipped = old_values + torch.clamp(values - old_values, -clip_epsilon, clip_epsilon)
    return torch.maximum((values - returns) ** 2, (clipped - returns) ** 2).mean()
