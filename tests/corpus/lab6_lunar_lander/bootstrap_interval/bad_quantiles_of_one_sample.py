# It draws one large sample and gives the quantiles of its numbers.
import torch


def bootstrap_interval(x, level, n_boot, generator):
    sample = x[torch.randint(len(x), (n_boot,), generator=generator)]
    tail = (1 - level) / 2
    return tuple(sample.quantile(torch.tensor([tail, 1 - tail])).tolist())
