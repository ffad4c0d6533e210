# You took the size of a minibatch for the number of minibatches.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    return iter(torch.randperm(batch_size, generator=generator).chunk(minibatch_size))
