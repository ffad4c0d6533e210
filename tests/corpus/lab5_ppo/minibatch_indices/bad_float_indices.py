# Your indices are floats: a tensor can only be indexed with integers (int64).
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    order = torch.randperm(batch_size, generator=generator).float()
    for start in range(0, batch_size, minibatch_size):
        yield order[start : start + minibatch_size]
