# You shuffle inside each minibatch only: which samples meet in a minibatch is the same in every epoch.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    for block in torch.arange(batch_size).split(minibatch_size):
        yield block[torch.randperm(len(block), generator=generator)]
