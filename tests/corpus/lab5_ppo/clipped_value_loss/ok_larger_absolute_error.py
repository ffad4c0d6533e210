# Style: the larger absolute error, squared afterwards.
import torch


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    with torch.no_grad():
        old = old_values.clone()
        target = returns.clone()
    clipped = old + torch.clip(values - old, -clip_epsilon, clip_epsilon)
    error = torch.maximum(torch.abs(values - target), torch.abs(clipped - target))
    return error.square().mean()
