# Style: a list of tensors, the number of minibatches rounded up.
import math

import torch


def minibatch_indices(batch_size, minibatch_size, generator):
    order = torch.randperm(batch_size, generator=generator)
    count = math.ceil(batch_size / minibatch_size)
    return [order[k * minibatch_size : min((k + 1) * minibatch_size, batch_size)] for k in range(count)]
