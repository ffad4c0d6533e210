# You return one value per sample: a loss is a single number, the average over the batch is missing.
import torch


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    old_values = old_values.detach()
    clipped = old_values + torch.clamp(values - old_values, -clip_epsilon, clip_epsilon)
    return torch.maximum((values - returns) ** 2, (clipped - returns) ** 2)
