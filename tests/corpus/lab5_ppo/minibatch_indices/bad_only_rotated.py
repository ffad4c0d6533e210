# Only the starting point is random: the samples keep their order, so each minibatch still holds neighbors in time.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    start = torch.randint(batch_size, (1,), generator=generator).item()
    order = torch.roll(torch.arange(batch_size), start)
    return order.split(minibatch_size)
