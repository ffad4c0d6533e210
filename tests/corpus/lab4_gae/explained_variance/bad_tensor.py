# A tensor comes back where a Python float is due.
import torch


def explained_variance(predicted, target):
    v = target.var(correction=0)
    if v == 0:
        return torch.tensor(float("nan"))
    return 1 - (target - predicted).var(correction=0) / v
