# Style: float64 inside, both errors stacked, amax over the new dimension.
import torch


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    v, old, target = values.double(), old_values.detach().double(), returns.detach().double()
    clipped = old + torch.clamp(v - old, -clip_epsilon, clip_epsilon)
    errors = torch.stack([v - target, clipped - target]).pow(2)
    return errors.amax(dim=0).mean().to(values.dtype)
