# You compute the loss under no_grad: its value is right, and the critic never learns.
import torch


@torch.no_grad()
def value_loss(values, targets):
    return ((values - targets) ** 2).mean()
