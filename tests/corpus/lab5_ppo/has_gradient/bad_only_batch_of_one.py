# Your function works for a single sample only: a plain if cannot decide for a whole batch at once.
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    if advantages > 0:
        return ratio < 1 + clip_epsilon
    if advantages < 0:
        return ratio > 1 - clip_epsilon
    return torch.zeros_like(ratio, dtype=torch.bool)
