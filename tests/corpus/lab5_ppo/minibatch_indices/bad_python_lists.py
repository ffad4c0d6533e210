# Your minibatches are Python lists: tensors of dtype int64 are wanted.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    order = torch.randperm(batch_size, generator=generator).tolist()
    for start in range(0, batch_size, minibatch_size):
        yield order[start : start + minibatch_size]
