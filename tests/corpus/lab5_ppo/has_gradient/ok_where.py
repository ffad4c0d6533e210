# Style: nested torch.where.
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    below_top = ratio <= 1 + clip_epsilon
    above_bottom = ratio >= 1 - clip_epsilon
    nothing = torch.zeros_like(below_top)
    return torch.where(advantages > 0, below_top, torch.where(advantages < 0, above_bottom, nothing))
