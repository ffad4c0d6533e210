from torch import nn


def value_loss(values, targets):
    criterion = nn.MSELoss(reduction="sum")
    return criterion(values, targets.data) / values.shape[0]
