# That is the squared correlation: it forgives predictions of the wrong size, and even of the wrong sign.
import torch


def explained_variance(predicted, target):
    if target.var(correction=0) == 0:
        return float("nan")
    x, y = predicted - predicted.mean(), target - target.mean()
    return ((x * y).sum() ** 2 / ((x * x).sum() * (y * y).sum())).item()
