# You divide by the variance of the predictions; it is the target's variance that is to be explained.
import torch


def explained_variance(predicted, target):
    if target.var(correction=0) == 0:
        return float("nan")
    return (1 - (target - predicted).var(correction=0) / predicted.var(correction=0)).item()
