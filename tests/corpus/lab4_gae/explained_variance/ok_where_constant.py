# Style: compare with the first entry to see whether the target is constant.
import torch


def explained_variance(predicted, target):
    if torch.all(target == target[0]):
        return torch.nan
    centered = target - target.mean()
    residual = (target - predicted) - (target - predicted).mean()
    return 1 - (residual.square().sum() / centered.square().sum()).item()
