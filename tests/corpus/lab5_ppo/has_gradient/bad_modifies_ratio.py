# Your function overwrites the ratio it was given: the caller's numbers are changed after the call.
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    with torch.no_grad():
        ratio -= 1
    return ((advantages > 0) & (ratio < clip_epsilon)) | ((advantages < 0) & (ratio > -clip_epsilon))
