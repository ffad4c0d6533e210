# The width of the band is fixed at 0.2 outside the function: your argument clip_epsilon is never used.
import torch

epsilon = 0.2


def has_gradient(ratio, advantages, clip_epsilon):
    return ((advantages > 0) & (ratio < 1 + epsilon)) | ((advantages < 0) & (ratio > 1 - epsilon))
