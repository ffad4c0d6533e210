# That is one minus a mean error relative to the targets' size, not a share of variance.
import torch


def explained_variance(predicted, target):
    if target.var(correction=0) == 0:
        return float("nan")
    return (1 - (target - predicted).abs().mean() / target.abs().mean()).item()
