# The resample is written into x, so that each is drawn from the one before.
import torch


def bootstrap_interval(x, level, n_boot, generator):
    means = []
    for _ in range(n_boot):
        x[:] = x[torch.randint(len(x), (len(x),), generator=generator)]
        means.append(interquartile_mean(x))
    means = torch.tensor(means)
    tail = (1 - level) / 2
    return tuple(means.quantile(torch.tensor([tail, 1 - tail])).tolist())
