# A constant target counts as explained; there is nothing to explain then, so the answer is NaN.
import torch


def explained_variance(predicted, target):
    v = target.var(correction=0)
    return 1.0 if v == 0 else (1 - (target - predicted).var(correction=0) / v).item()
