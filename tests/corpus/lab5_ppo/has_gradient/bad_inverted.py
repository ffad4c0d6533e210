# The answer is inverted: your mask marks the samples that have lost their gradient.
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    return ((advantages > 0) & (ratio > 1 + clip_epsilon)) | (
        (advantages < 0) & (ratio < 1 - clip_epsilon)
    )
