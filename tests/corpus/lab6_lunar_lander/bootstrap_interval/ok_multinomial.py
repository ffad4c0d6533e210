# Style: multinomial with replacement, quantiles by kthvalue.
import torch


def bootstrap_interval(x, level, n_boot, generator):
    size = len(x)
    picks = torch.multinomial(torch.ones(n_boot, size), size, replacement=True, generator=generator)
    means = torch.tensor([interquartile_mean(row) for row in x[picks]])
    tail = (1 - level) / 2
    low = means.kthvalue(max(1, round(tail * n_boot))).values
    high = means.kthvalue(min(n_boot, round((1 - tail) * n_boot) + (n_boot == 1))).values
    return float(low), float(high)
