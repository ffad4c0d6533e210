# The targets are centered in place, so the caller's are changed.
import torch


def explained_variance(predicted, target):
    residual = target - predicted
    target -= target.mean()
    v = target.square().mean()
    if v == 0:
        return float("nan")
    return (1 - residual.var(correction=0) / v).item()
