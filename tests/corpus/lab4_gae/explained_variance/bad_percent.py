# It is given in percent; a share lies below 1.
import torch


def explained_variance(predicted, target):
    v = target.var(correction=0)
    if v == 0:
        return float("nan")
    return 100 * (1 - (target - predicted).var(correction=0) / v).item()
