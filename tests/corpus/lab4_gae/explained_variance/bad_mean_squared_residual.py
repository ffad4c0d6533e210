# You use the mean of the squared residuals where their variance is due: a critic that is off by a constant is punished for it.
import torch


def explained_variance(predicted, target):
    if target.var(correction=0) == 0:
        return float("nan")
    return (1 - (target - predicted).square().mean() / target.var(correction=0)).item()
