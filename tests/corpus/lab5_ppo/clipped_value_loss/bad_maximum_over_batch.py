# You take one maximum over the whole batch: a single sample decides the loss, all others get no gradient.
import torch


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    old_values = old_values.detach()
    clipped = old_values + torch.clamp(values - old_values, -clip_epsilon, clip_epsilon)
    both = torch.stack([(values - returns) ** 2, (clipped - returns) ** 2])
    return torch.max(both)
