# Your function overwrites old_values: in the next epoch the band would lie around other numbers.
import torch


def clipped_value_loss(values, old_values, returns, clip_epsilon):
    change = torch.clamp(values - old_values.detach(), -clip_epsilon, clip_epsilon)
    clipped = old_values.detach().clone() + change
    with torch.no_grad():
        old_values += change
    return torch.maximum((values - returns) ** 2, (clipped - returns) ** 2).mean()
