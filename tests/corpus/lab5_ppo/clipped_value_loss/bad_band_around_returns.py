# Your band lies around the returns: it has to lie around what the critic predicted before the update.
import torch


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    clipped = returns + torch.clamp(values - returns, -clip_epsilon, clip_epsilon)
    return torch.maximum((values - returns) ** 2, (clipped - returns) ** 2).mean()
