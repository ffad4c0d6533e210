# The level is taken as percent.
import torch


def bootstrap_interval(x, level, n_boot, generator):
    rows = torch.randint(len(x), (n_boot, len(x)), generator=generator)
    cut = len(x) // 4
    means = x[rows].sort(dim=1).values[:, cut : len(x) - cut].mean(dim=1)
    tail = min(max((100 - level) / 200, 0.0), 1.0)
    return tuple(means.quantile(torch.tensor([tail, 1 - tail])).tolist())
