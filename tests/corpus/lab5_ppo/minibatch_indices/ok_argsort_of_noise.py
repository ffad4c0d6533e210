# Style: argsort of random numbers, cut in a while loop.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    rest = torch.rand(batch_size, generator=generator, dtype=torch.float64).argsort()
    while rest.numel() > 0:
        head, rest = rest[:minibatch_size], rest[minibatch_size:]
        yield head
