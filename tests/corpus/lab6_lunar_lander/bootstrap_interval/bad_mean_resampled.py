# The plain mean of each resample is taken, not the interquartile mean.
import torch


def bootstrap_interval(x, level, n_boot, generator):
    rows = torch.randint(len(x), (n_boot, len(x)), generator=generator)
    means = x[rows].mean(dim=1)
    tail = (1 - level) / 2
    return tuple(means.quantile(torch.tensor([tail, 1 - tail])).tolist())
