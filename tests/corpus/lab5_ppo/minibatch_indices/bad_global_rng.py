# The random numbers come from somewhere else than the generator that is passed in, so a run cannot be repeated.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    order = torch.randperm(batch_size)
    for start in range(0, batch_size, minibatch_size):
        yield order[start : start + minibatch_size]
