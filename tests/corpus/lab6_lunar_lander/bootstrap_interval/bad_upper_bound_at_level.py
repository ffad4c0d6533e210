# The upper bound is the quantile at level, so that more is cut off above than below.
import torch


def bootstrap_interval(x, level, n_boot, generator):
    rows = torch.randint(len(x), (n_boot, len(x)), generator=generator)
    cut = len(x) // 4
    means = x[rows].sort(dim=1).values[:, cut : len(x) - cut].mean(dim=1)
    return tuple(means.quantile(torch.tensor([(1 - level) / 2, level])).tolist())
