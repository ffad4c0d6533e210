# You give one answer for the whole batch: each sample needs its own.
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    good = (advantages > 0) & (ratio < 1 + clip_epsilon)
    bad = (advantages < 0) & (ratio > 1 - clip_epsilon)
    return (good | bad).any()
