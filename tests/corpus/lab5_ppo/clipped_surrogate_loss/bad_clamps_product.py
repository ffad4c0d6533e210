# You clip the product of ratio and advantage: the band around 1 is meant for the ratio, the product can have any size and sign.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    advantages = advantages.detach()
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    weighted = ratio * advantages
    clipped = torch.clamp(weighted, 1 - clip_epsilon, 1 + clip_epsilon)
    return -torch.min(weighted, clipped).mean()
