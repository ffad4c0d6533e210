# It returns nothing: the caller gets None.
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    good = (advantages > 0) & (ratio < 1 + clip_epsilon)
    bad = (advantages < 0) & (ratio > 1 - clip_epsilon)
    mask = good | bad
