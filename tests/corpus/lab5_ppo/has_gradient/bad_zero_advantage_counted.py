# A sample with advantage 0 is counted: its term is 0 whatever the policy does, so it gives no gradient.
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    clipped = ((advantages > 0) & (ratio > 1 + clip_epsilon)) | (
        (advantages < 0) & (ratio < 1 - clip_epsilon)
    )
    return ~clipped
