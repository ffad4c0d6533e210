# Style: asks which of the two terms the minimum picks.
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    clipped_ratio = ratio.clamp(1 - clip_epsilon, 1 + clip_epsilon)
    unclipped_is_smaller = ratio * advantages <= clipped_ratio * advantages
    return unclipped_is_smaller & advantages.ne(0)
