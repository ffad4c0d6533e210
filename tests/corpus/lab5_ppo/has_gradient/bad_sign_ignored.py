# You treat all samples like good actions: for a negative advantage the other edge of the band is the one that matters.
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    return (ratio < 1 + clip_epsilon) & (advantages != 0)
