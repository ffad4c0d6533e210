# Style: a class with __iter__ and __next__.
import torch


class Minibatches:
    def __init__(self, order, size):
        self.order, self.size, self.position = order, size, 0

    def __iter__(self):
        return self

    def __next__(self):
        if self.position >= len(self.order):
            raise StopIteration
        part = self.order[self.position : self.position + self.size]
        self.position += self.size
        return part


def minibatch_indices(batch_size, minibatch_size, generator):
    return Minibatches(torch.randperm(batch_size, generator=generator), size=minibatch_size)
