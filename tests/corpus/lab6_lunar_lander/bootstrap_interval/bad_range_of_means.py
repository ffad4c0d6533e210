# It gives the smallest and the largest resampled mean, whatever the level.
import torch


def bootstrap_interval(x, level, n_boot, generator):
    rows = torch.randint(len(x), (n_boot, len(x)), generator=generator)
    cut = len(x) // 4
    means = x[rows].sort(dim=1).values[:, cut : len(x) - cut].mean(dim=1)
    return means.min().item(), means.max().item()
