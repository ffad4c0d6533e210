# You start from the new value and go a step of at most epsilon toward the old one: the result can be far from the old value, and a small change is undone.
import torch


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    old_values = old_values.detach()
    clipped = values + torch.clamp(old_values - values, -clip_epsilon, clip_epsilon)
    return torch.maximum((values - returns) ** 2, (clipped - returns) ** 2).mean()
