# It returns nothing: the caller gets None.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    order = torch.randperm(batch_size, generator=generator)
    batches = []
    for start in range(0, batch_size, minibatch_size):
        batches.append(order[start : start + minibatch_size])
