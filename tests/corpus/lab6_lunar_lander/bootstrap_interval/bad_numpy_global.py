# It draws from NumPy's global random stream, not from the generator.
import numpy as np
import torch


def bootstrap_interval(x, level, n_boot, generator):
    rows = torch.from_numpy(np.random.randint(len(x), size=(n_boot, len(x))))
    cut = rows.shape[1] // 4
    means = x[rows].sort(dim=1).values[:, cut : rows.shape[1] - cut].mean(dim=1)
    tail = (1 - level) / 2
    return tuple(means.quantile(torch.tensor([tail, 1 - tail])).tolist())
