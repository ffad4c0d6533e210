# Samples with a negative advantage are left out: they teach the policy what to avoid, so they do have a gradient.
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    return (advantages > 0) & (ratio < 1 + clip_epsilon)
