# A constant target gives 0; there is nothing to explain then, so the answer is NaN.
import torch


def explained_variance(predicted, target):
    v = target.var(correction=0)
    if v == 0:
        return 0.0
    return (1 - (target - predicted).var(correction=0) / v).item()
