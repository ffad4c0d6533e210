# The resamples are cut without putting them in order: some numbers are dropped at random.
import torch


def bootstrap_interval(x, level, n_boot, generator):
    rows = torch.randint(len(x), (n_boot, len(x)), generator=generator)
    k = len(x) // 4
    means = x[rows][:, k : len(x) - k].mean(dim=1)
    tail = (1 - level) / 2
    return tuple(means.quantile(torch.tensor([tail, 1 - tail])).tolist())
