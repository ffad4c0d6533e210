# The sign of the advantages is lost: bad actions are made more likely, just like good ones.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    advantages = advantages.detach()
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    clipped = torch.clamp(ratio, 1 - clip_epsilon, 1 + clip_epsilon)
    size = advantages.abs()
    return -torch.min(ratio * size, clipped * size).mean()
