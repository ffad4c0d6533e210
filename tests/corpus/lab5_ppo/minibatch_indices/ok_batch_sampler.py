# Style: PyTorch's own RandomSampler and BatchSampler.
import torch
from torch.utils.data import BatchSampler, RandomSampler


def minibatch_indices(batch_size, minibatch_size, generator):
    sampler = RandomSampler(range(batch_size), generator=generator)
    for indices in BatchSampler(sampler, batch_size=minibatch_size, drop_last=False):
        yield torch.tensor(indices, dtype=torch.int64)
