# Style: sort, slice, mean.
import torch


def interquartile_mean(x):
    ordered, _ = torch.sort(x)
    k = int(0.25 * len(x))
    return float(ordered[k : len(x) - k].mean())
