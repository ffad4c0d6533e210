# One sample is never used: your shuffle stops one index too early.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    order = torch.randperm(batch_size - 1, generator=generator)
    for start in range(0, len(order), minibatch_size):
        yield order[start : start + minibatch_size]
