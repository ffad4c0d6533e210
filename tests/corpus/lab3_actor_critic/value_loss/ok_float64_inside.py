import torch


def value_loss(values, targets):
    with torch.no_grad():
        constant = targets.double().clone()
    return torch.mean(torch.square(values.double() - constant)).float()
