# You set the seed of the generator inside the function: every call gives the same shuffle, whatever generator comes in.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    generator.manual_seed(0)
    order = torch.randperm(batch_size, generator=generator)
    for start in range(0, batch_size, minibatch_size):
        yield order[start : start + minibatch_size]
