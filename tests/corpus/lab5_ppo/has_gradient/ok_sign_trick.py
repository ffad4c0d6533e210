# Style: one comparison for both signs, by the sign of the advantage.
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    sign = torch.sign(advantages)
    moved = (ratio - 1) * sign
    return (moved < clip_epsilon) & (sign != 0)
