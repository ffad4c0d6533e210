# You clip the squared error: large errors then give no gradient at all. What is limited is the change of the value.
import torch


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    return torch.clamp((values - returns) ** 2, max=clip_epsilon).mean()
