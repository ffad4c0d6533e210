# You divide by the mean of the squared targets; their mean has to be taken off first.
import torch


def explained_variance(predicted, target):
    if target.var(correction=0) == 0:
        return float("nan")
    return (1 - (target - predicted).var(correction=0) / target.square().mean()).item()
