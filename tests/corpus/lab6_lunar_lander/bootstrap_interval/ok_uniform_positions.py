# Style: positions from uniform numbers, a tensor of two comes back.
import torch


def bootstrap_interval(x, level, n_boot, generator):
    size = len(x)
    positions = (torch.rand(size, n_boot, generator=generator) * size).long().clamp(max=size - 1)
    ordered = x.double()[positions].sort(dim=0).values
    means = ordered[size // 4 : size - size // 4].mean(dim=0)
    tail = (1 - level) / 2
    return means.quantile(torch.tensor([tail, 1 - tail], dtype=torch.float64))
