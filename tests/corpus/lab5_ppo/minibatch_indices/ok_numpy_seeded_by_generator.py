# Style: numpy's shuffle, seeded by a number drawn from the generator; prints and warns.
import warnings

import numpy as np
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    if batch_size % minibatch_size:
        warnings.warn("the last minibatch is smaller")
    seed = int(torch.randint(0, 2**31 - 1, (1,), generator=generator))
    order = np.random.default_rng(seed).permutation(batch_size).astype(np.int64)
    print("minibatches:", -(-batch_size // minibatch_size))
    bounds = range(minibatch_size, batch_size, minibatch_size)
    return (torch.from_numpy(part) for part in np.split(order, list(bounds)))
