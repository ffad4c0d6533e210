# It is the mean of the resampled means plus and minus one standard deviation; the level is not used.
import torch


def bootstrap_interval(x, level, n_boot, generator):
    rows = torch.randint(len(x), (n_boot, len(x)), generator=generator)
    cut = len(x) // 4
    means = x[rows].sort(dim=1).values[:, cut : len(x) - cut].mean(dim=1)
    return (means.mean() - means.std(correction=0)).item(), (means.mean() + means.std(correction=0)).item()
