# Your band is half as wide: epsilon is not its whole width but the distance from 1 to each edge.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    advantages = advantages.detach()
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    half = clip_epsilon / 2
    clipped = torch.clamp(ratio, 1 - half, 1 + half)
    return -torch.min(ratio * advantages, clipped * advantages).mean()
