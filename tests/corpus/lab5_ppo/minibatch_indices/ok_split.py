# Style: torch.split of a permutation, an iterator over the tuple.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    return iter(torch.randperm(batch_size, generator=generator).split(minibatch_size))
