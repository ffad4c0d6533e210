# Every call gives the same shuffle, whatever generator comes in: the order is stored, or made from a seed of its own.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    generator.manual_seed(0)
    order = torch.randperm(batch_size, generator=generator)
    for start in range(0, batch_size, minibatch_size):
        yield order[start : start + minibatch_size]
