# You restart from the generator's first seed at every call: all epochs get the same shuffle.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    own = torch.Generator().manual_seed(generator.initial_seed())
    order = torch.randperm(batch_size, generator=own)
    for start in range(0, batch_size, minibatch_size):
        yield order[start : start + minibatch_size]
