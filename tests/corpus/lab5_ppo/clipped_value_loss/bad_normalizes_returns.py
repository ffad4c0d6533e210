# You normalize the returns inside the loss: the critic would then learn numbers of another scale than the returns it was given.
import torch


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    old_values = old_values.detach()
    returns = (returns - returns.mean()) / (returns.std(unbiased=False) + 1e-8)
    clipped = old_values + torch.clamp(values - old_values, -clip_epsilon, clip_epsilon)
    return torch.maximum((values - returns) ** 2, (clipped - returns) ** 2).mean()
