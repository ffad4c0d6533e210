# The two sides are swapped: you stop good actions at the lower edge and bad actions at the upper edge, which is where they would be coming back.
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    return ((advantages > 0) & (ratio > 1 - clip_epsilon)) | (
        (advantages < 0) & (ratio < 1 + clip_epsilon)
    )
