# The remainder is dropped: when the sizes do not divide, the last samples of the shuffle are never used.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    order = torch.randperm(batch_size, generator=generator)
    for k in range(batch_size // minibatch_size):
        yield order[k * minibatch_size : (k + 1) * minibatch_size]
