# You say that an unchanged sample (ratio exactly 1) has no gradient: that is where every update starts, and it does have one.
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    good = (advantages > 0) & (ratio < 1 + clip_epsilon)
    bad = (advantages < 0) & (ratio > 1 - clip_epsilon)
    return (good | bad) & (ratio != 1)
