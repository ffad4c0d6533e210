# You fill the last minibatch up with samples from the start: they count twice in this epoch.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    order = torch.randperm(batch_size, generator=generator)
    for start in range(0, batch_size, minibatch_size):
        positions = torch.arange(start, start + minibatch_size) % batch_size
        yield order[positions]
