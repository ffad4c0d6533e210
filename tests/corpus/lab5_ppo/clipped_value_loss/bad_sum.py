# You sum over the batch instead of averaging: the size of the step now depends on the size of the minibatch.
import torch


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    old_values = old_values.detach()
    clipped = old_values + torch.clamp(values - old_values, -clip_epsilon, clip_epsilon)
    return torch.maximum((values - returns) ** 2, (clipped - returns) ** 2).sum()
