# Your band is relative to the size of the old value: epsilon is an absolute distance here, the band must not vanish where the old value is 0.
import torch


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    old_values = old_values.detach()
    width = clip_epsilon * old_values.abs()
    clipped = torch.clamp(values, old_values - width, old_values + width)
    return torch.maximum((values - returns) ** 2, (clipped - returns) ** 2).mean()
