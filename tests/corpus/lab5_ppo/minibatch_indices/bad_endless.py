# Your loop never ends when a minibatch is larger than the batch: not one full minibatch fits, so it makes no progress.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    order = torch.randperm(batch_size, generator=generator)
    full = batch_size // minibatch_size
    given = 0
    while given < batch_size:
        for k in range(full):
            part = order[k * minibatch_size : (k + 1) * minibatch_size]
            given += len(part)
            yield part
        if full > 0 and given < batch_size:
            yield order[given:]
            given = batch_size
