# Your function flips the advantages in place: the loss is right once, but the caller's data is changed for every later epoch.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    clipped = torch.clamp(ratio, 1 - clip_epsilon, 1 + clip_epsilon)
    with torch.no_grad():
        advantages *= -1
    advantages = advantages.detach()
    return torch.max(ratio * advantages, clipped * advantages).mean()
