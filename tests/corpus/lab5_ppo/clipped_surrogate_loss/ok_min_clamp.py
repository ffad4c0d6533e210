# Style: the textbook form, minimum of the two terms, torch.clamp.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    advantages = advantages.detach()
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    unclipped = ratio * advantages
    clipped = torch.clamp(ratio, 1 - clip_epsilon, 1 + clip_epsilon) * advantages
    return -torch.min(unclipped, clipped).mean()
