# A quarter of what the level leaves out is cut off at each end, half as much as is due.
import torch


def bootstrap_interval(x, level, n_boot, generator):
    rows = torch.randint(len(x), (n_boot, len(x)), generator=generator)
    cut = len(x) // 4
    means = x[rows].sort(dim=1).values[:, cut : len(x) - cut].mean(dim=1)
    tail = (1 - level) / 4
    return tuple(means.quantile(torch.tensor([tail, 1 - tail])).tolist())
