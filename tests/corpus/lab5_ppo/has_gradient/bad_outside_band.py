# You call every sample outside the band clipped: only the favorable side loses its gradient, a sample that moved the wrong way keeps it.
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    inside = (ratio > 1 - clip_epsilon) & (ratio < 1 + clip_epsilon)
    return inside & (advantages != 0)
