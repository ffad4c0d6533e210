# You shuffle anew for every minibatch: two minibatches of one epoch overlap, and some samples are never seen.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    for start in range(0, batch_size, minibatch_size):
        size = min(minibatch_size, batch_size - start)
        yield torch.randperm(batch_size, generator=generator)[:size]
