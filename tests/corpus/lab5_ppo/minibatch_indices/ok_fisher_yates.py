# Style: a hand-written Fisher-Yates shuffle on a Python list.
import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    order = list(range(batch_size))
    for i in range(batch_size - 1, 0, -1):
        j = int(torch.randint(0, i + 1, (1,), generator=generator))
        order[i], order[j] = order[j], order[i]
    batch = []
    for index in order:
        batch.append(index)
        if len(batch) == minibatch_size:
            yield torch.tensor(batch)
            batch = []
    if batch:
        yield torch.tensor(batch)
