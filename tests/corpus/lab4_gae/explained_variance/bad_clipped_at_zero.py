# Negative values are cut off: a critic that is worse than a constant should show.
import torch


def explained_variance(predicted, target):
    v = target.var(correction=0)
    if v == 0:
        return float("nan")
    return max(0.0, (1 - (target - predicted).var(correction=0) / v).item())
