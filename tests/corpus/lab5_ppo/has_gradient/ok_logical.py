# Style: one line of logical tensor operators.
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    return ((advantages > 0) & (ratio < 1 + clip_epsilon)) | (
        (advantages < 0) & (ratio > 1 - clip_epsilon)
    )
