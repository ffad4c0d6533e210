# You clip the value itself into a band around 0: what is limited is how far it moves from the old value.
import torch


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    clipped = torch.clamp(values, -clip_epsilon, clip_epsilon)
    return torch.maximum((values - returns) ** 2, (clipped - returns) ** 2).mean()
