# Style: a generator function that slices one permutation.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    permutation = torch.randperm(batch_size, generator=generator)
    for start in range(0, batch_size, minibatch_size):
        yield permutation[start : start + minibatch_size]
