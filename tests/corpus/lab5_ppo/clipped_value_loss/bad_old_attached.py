# The old values are still attached: a gradient flows into old_values, although they are a fixed record of the rollout.
import torch


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    clipped = old_values + torch.clamp(values - old_values, -clip_epsilon, clip_epsilon)
    return torch.maximum((values - returns) ** 2, (clipped - returns) ** 2).mean()
