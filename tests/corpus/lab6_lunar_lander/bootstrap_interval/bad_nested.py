# The interval of the interval: the resampled means are resampled and averaged once more.
import torch


def bootstrap_interval(x, level, n_boot, generator):
    rows = torch.randint(len(x), (n_boot, len(x)), generator=generator)
    cut = rows.shape[1] // 4
    means = x[rows].sort(dim=1).values[:, cut : rows.shape[1] - cut].mean(dim=1)
    again = torch.randint(n_boot, (n_boot, len(x)), generator=generator)
    means = means[again].mean(dim=1)
    tail = (1 - level) / 2
    return tuple(means.quantile(torch.tensor([tail, 1 - tail])).tolist())
