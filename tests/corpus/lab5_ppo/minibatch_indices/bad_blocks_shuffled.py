# Only the order of the blocks is shuffled: each minibatch still holds neighbors in time.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    blocks = torch.arange(batch_size).split(minibatch_size)
    for k in torch.randperm(len(blocks), generator=generator).tolist():
        yield blocks[k]
