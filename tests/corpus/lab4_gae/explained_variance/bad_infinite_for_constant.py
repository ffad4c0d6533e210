# A constant target gives minus infinity; there is nothing to explain then, so the answer is NaN.
import torch


def explained_variance(predicted, target):
    return (1 - (target - predicted).var(correction=0) / target.var(correction=0)).item()
