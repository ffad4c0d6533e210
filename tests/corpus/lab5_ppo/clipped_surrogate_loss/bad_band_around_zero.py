# Your band lies around 0: an unchanged policy has ratio 1, so the band has to lie around 1.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    advantages = advantages.detach()
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    clipped = torch.clamp(ratio, -clip_epsilon, clip_epsilon)
    return -torch.min(ratio * advantages, clipped * advantages).mean()
