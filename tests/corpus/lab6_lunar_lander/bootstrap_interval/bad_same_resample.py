# One resample is drawn before the loop and used every time.
import torch


def bootstrap_interval(x, level, n_boot, generator):
    row = torch.randint(len(x), (len(x),), generator=generator)
    means = torch.tensor([interquartile_mean(x[row])] * n_boot)
    tail = (1 - level) / 2
    return tuple(means.quantile(torch.tensor([tail, 1 - tail])).tolist())
