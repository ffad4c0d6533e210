# Your mask holds floats: it should hold truth values (dtype bool), or it cannot be used to index or to negate.
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    good = (advantages > 0) & (ratio < 1 + clip_epsilon)
    bad = (advantages < 0) & (ratio > 1 - clip_epsilon)
    return (good | bad).float()
