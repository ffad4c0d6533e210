# You weight the log-probability instead of the probability ratio: that is the REINFORCE objective, and the band around 1 has no meaning for it.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    advantages = advantages.detach()
    clipped = torch.clamp(new_log_probs, 1 - clip_epsilon, 1 + clip_epsilon)
    return -torch.min(new_log_probs * advantages, clipped * advantages).mean()
