# Style: trim_mean of SciPy along an axis, in chunks.
import numpy as np
import torch
from scipy.stats import trim_mean


def bootstrap_interval(x, level, n_boot, generator):
    means = []
    while len(means) < n_boot:
        rows = min(512, n_boot - len(means))
        picks = torch.randint(len(x), (rows, len(x)), generator=generator)
        means.extend(trim_mean(x[picks].numpy(), 0.25, axis=1).tolist())
    edges = 0.5 * (1 - level), 0.5 * (1 + level)
    return [float(np.quantile(means, edge)) for edge in edges]
