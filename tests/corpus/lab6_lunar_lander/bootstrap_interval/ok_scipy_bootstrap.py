# Style: scipy.stats.bootstrap, seeded by a draw from the generator.
import numpy as np
import torch
from scipy.stats import bootstrap, trim_mean


def bootstrap_interval(x, level, n_boot, generator):
    seed = int(torch.randint(2**31, (), generator=generator))
    if len(x) == 1:
        return float(x), float(x)
    found = bootstrap(
        (x.double().numpy(),), lambda a, axis: trim_mean(a, 0.25, axis=axis), n_resamples=n_boot,
        confidence_level=level, method="percentile", vectorized=True, axis=-1,
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    return found.low, found.high
