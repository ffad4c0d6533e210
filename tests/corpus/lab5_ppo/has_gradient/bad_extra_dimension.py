# Your mask has an extra dimension, [B, 1] instead of [B].
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    good = (advantages > 0) & (ratio < 1 + clip_epsilon)
    bad = (advantages < 0) & (ratio > 1 - clip_epsilon)
    return (good | bad).unsqueeze(-1)
