# Style: variances with N - 1; NaN for one entry comes by itself.
import torch


def explained_variance(predicted, target):
    total = torch.var(target)
    unexplained = torch.var(target - predicted)
    return float("nan") if total.item() == 0.0 else float(1.0 - unexplained / total)
