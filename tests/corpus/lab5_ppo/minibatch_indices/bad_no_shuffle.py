# Nothing is shuffled: neighbors in time stay together, and every epoch sees the same minibatches.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    order = torch.arange(batch_size)
    for start in range(0, batch_size, minibatch_size):
        yield order[start : start + minibatch_size]
