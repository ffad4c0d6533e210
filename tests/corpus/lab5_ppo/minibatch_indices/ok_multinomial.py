# Style: drawing all indices without replacement by torch.multinomial.
import torch


def minibatch_indices(batch_size: int, minibatch_size: int, generator: torch.Generator):
    """A fresh partition of range(batch_size), int64 tensors."""
    weights = torch.ones(batch_size)
    drawn = torch.multinomial(weights, batch_size, replacement=False, generator=generator)
    return list(torch.split(drawn, minibatch_size))
