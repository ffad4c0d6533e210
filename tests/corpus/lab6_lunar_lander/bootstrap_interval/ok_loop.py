# Style: a loop over the resamples, sorted list of means, nearest ranks.
import torch


def bootstrap_interval(x, level, n_boot, generator):
    means = []
    for _ in range(n_boot):
        positions = torch.randint(0, len(x), (len(x),), generator=generator)
        means.append(interquartile_mean(x[positions]))
    means.sort()
    tail = (1 - level) / 2
    return means[int(tail * (n_boot - 1))], means[int(round((1 - tail) * (n_boot - 1)))]
