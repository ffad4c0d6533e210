# It draws R resamples of n_boot numbers instead of n_boot resamples of R numbers.
import torch


def bootstrap_interval(x, level, n_boot, generator):
    rows = torch.randint(len(x), (len(x), n_boot), generator=generator)
    cut = rows.shape[1] // 4
    means = x[rows].sort(dim=1).values[:, cut : rows.shape[1] - cut].mean(dim=1)
    tail = (1 - level) / 2
    return tuple(means.quantile(torch.tensor([tail, 1 - tail])).tolist())
