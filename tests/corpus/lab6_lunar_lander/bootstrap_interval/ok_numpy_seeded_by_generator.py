# Style: NumPy's generator, seeded by a draw from torch's.
import numpy as np
import torch


def bootstrap_interval(x, level, n_boot, generator):
    rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
    a = x.double().numpy()
    means = [interquartile_mean(torch.from_numpy(rng.choice(a, a.size))) for _ in range(n_boot)]
    return tuple(np.percentile(means, [50 * (1 - level), 50 * (1 + level)]))
