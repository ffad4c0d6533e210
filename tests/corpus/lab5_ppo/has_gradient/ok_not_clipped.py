# Style: names the two clipped regions, negates them and leaves out A = 0.
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    clipped_above = torch.logical_and(advantages > 0, ratio > 1 + clip_epsilon)
    clipped_below = torch.logical_and(advantages < 0, ratio < 1 - clip_epsilon)
    clipped = torch.logical_or(clipped_above, clipped_below)
    return torch.logical_and(torch.logical_not(clipped), advantages != 0)
