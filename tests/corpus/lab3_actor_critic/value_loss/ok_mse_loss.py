import torch.nn.functional as F


def value_loss(values, targets):
    return F.mse_loss(values, targets.detach())
