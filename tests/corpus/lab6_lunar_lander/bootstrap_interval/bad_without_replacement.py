# The resamples are drawn without replacement, so each is x in another order.
import torch


def bootstrap_interval(x, level, n_boot, generator):
    rows = torch.rand(n_boot, len(x), generator=generator).argsort(dim=1)
    cut = rows.shape[1] // 4
    means = x[rows].sort(dim=1).values[:, cut : rows.shape[1] - cut].mean(dim=1)
    tail = (1 - level) / 2
    return tuple(means.quantile(torch.tensor([tail, 1 - tail])).tolist())
