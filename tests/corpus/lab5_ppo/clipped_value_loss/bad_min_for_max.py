# You take the smaller of the two errors: the pessimistic choice is the larger one, otherwise clipping makes large changes look cheap.
import torch


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    old_values = old_values.detach()
    clipped = old_values + torch.clamp(values - old_values, -clip_epsilon, clip_epsilon)
    return torch.minimum((values - returns) ** 2, (clipped - returns) ** 2).mean()
