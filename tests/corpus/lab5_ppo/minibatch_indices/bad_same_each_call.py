# Every call with one generator gives the same shuffle, because it is stored or because the random numbers start again each time: all epochs see the same minibatches.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    own = torch.Generator().manual_seed(generator.initial_seed())
    order = torch.randperm(batch_size, generator=own)
    for start in range(0, batch_size, minibatch_size):
        yield order[start : start + minibatch_size]
