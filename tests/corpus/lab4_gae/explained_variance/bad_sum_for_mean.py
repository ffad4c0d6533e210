# The residuals' variance is not divided by the number of samples.
import torch


def explained_variance(predicted, target):
    v = target.var(correction=0)
    if v == 0:
        return float("nan")
    residual = target - predicted
    return (1 - (residual - residual.mean()).square().sum() / v).item()
