# Style: all resamples as one matrix, sorted row by row.
import torch


def bootstrap_interval(x, level, n_boot, generator):
    size = x.numel()
    sample = x[torch.randint(size, (n_boot, size), generator=generator)]
    k = size // 4
    means = sample.sort(dim=1).values[:, k : size - k].mean(dim=1)
    low = torch.quantile(means, (1 - level) / 2)
    high = torch.quantile(means, (1 + level) / 2)
    return low.item(), high.item()
