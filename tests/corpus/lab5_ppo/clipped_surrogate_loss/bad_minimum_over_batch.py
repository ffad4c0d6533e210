# You take one minimum over the whole batch: a single sample decides the loss, all others get no gradient.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    advantages = advantages.detach()
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    clipped = torch.clamp(ratio, 1 - clip_epsilon, 1 + clip_epsilon)
    both = torch.stack([ratio * advantages, clipped * advantages])
    return -torch.min(both)
