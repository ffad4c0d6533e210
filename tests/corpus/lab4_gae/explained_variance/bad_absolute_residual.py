# You take the variance of the absolute residuals.
import torch


def explained_variance(predicted, target):
    v = target.var(correction=0)
    if v == 0:
        return float("nan")
    return (1 - (target - predicted).abs().var(correction=0) / v).item()
