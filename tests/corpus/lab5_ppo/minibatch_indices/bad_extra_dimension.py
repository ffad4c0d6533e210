# Your index tensors have an extra dimension, [M, 1] instead of [M]: whatever is picked with them gets it too.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    order = torch.randperm(batch_size, generator=generator).reshape(-1, 1)
    for start in range(0, batch_size, minibatch_size):
        yield order[start : start + minibatch_size]
