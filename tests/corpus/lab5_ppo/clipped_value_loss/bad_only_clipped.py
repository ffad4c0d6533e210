# Only the clipped error is left: a value outside the band gets no gradient, even when it has moved the wrong way.
import torch


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    old_values = old_values.detach()
    clipped = old_values + torch.clamp(values - old_values, -clip_epsilon, clip_epsilon)
    return ((clipped - returns) ** 2).mean()
