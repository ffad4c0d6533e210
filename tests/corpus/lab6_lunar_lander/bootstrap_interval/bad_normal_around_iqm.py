# It takes the spread of the resampled means as that of a normal distribution, symmetric about the sample's.
import torch


def bootstrap_interval(x, level, n_boot, generator):
    rows = torch.randint(len(x), (n_boot, len(x)), generator=generator)
    cut = len(x) // 4
    means = x[rows].sort(dim=1).values[:, cut : len(x) - cut].mean(dim=1)
    z = torch.distributions.Normal(0.0, 1.0).icdf(torch.tensor((1 + level) / 2)).item()
    spread, center = means.std(correction=0).item(), interquartile_mean(x)
    return center - z * spread, center + z * spread
