# Style: eps under the root; mean and variance written out.
import torch


def standardize(x, eps=1e-8):
    mean = x.sum() / len(x)
    variance = ((x - mean) ** 2).sum() / len(x)
    return (x - mean) / torch.sqrt(variance + eps)
