# You draw with replacement: some samples appear twice in an epoch and others never.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    order = torch.randint(0, batch_size, (batch_size,), generator=generator)
    for start in range(0, batch_size, minibatch_size):
        yield order[start : start + minibatch_size]
