# That is the share that is not explained; take it from 1.
import torch


def explained_variance(predicted, target):
    v = target.var(correction=0)
    return float("nan") if v == 0 else ((target - predicted).var(correction=0) / v).item()
