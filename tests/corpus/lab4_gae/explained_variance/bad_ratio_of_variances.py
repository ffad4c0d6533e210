# The variance of the predictions over that of the targets says how much they vary, not whether they are right.
import torch


def explained_variance(predicted, target):
    v = target.var(correction=0)
    return float("nan") if v == 0 else (predicted.var(correction=0) / v).item()
