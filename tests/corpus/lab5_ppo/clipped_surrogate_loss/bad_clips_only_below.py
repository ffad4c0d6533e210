# The ratio is clipped only from below: good actions can be pushed up without any limit.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    advantages = advantages.detach()
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    clipped = torch.clamp(ratio, min=1 - clip_epsilon)
    return -torch.min(ratio * advantages, clipped * advantages).mean()
