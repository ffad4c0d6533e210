# You clip the value into a band around 1, as for a ratio: values have no natural 1, the band lies around the old value.
import torch


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    clipped = torch.clamp(values, 1 - clip_epsilon, 1 + clip_epsilon)
    return torch.maximum((values - returns) ** 2, (clipped - returns) ** 2).mean()
