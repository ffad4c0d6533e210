# Only the first minibatch comes out: your function returns from inside the loop.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    order = torch.randperm(batch_size, generator=generator)
    for start in range(0, batch_size, minibatch_size):
        return [order[start : start + minibatch_size]]
