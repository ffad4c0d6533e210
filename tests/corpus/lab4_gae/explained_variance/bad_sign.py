# The sign is the wrong way round: a perfect critic has 1, not -1 ... 0.
import torch


def explained_variance(predicted, target):
    v = target.var(correction=0)
    return float("nan") if v == 0 else ((target - predicted).var(correction=0) / v - 1).item()
