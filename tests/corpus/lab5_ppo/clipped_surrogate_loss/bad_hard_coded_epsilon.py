# The width of the band is fixed at 0.2 outside the function: your argument clip_epsilon is never used.
import torch

EPSILON = 0.2


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    advantages = advantages.detach()
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    clipped = torch.clamp(ratio, 1 - EPSILON, 1 + EPSILON)
    return -torch.min(ratio * advantages, clipped * advantages).mean()
