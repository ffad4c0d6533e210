# You take the more hopeful of the two terms, PPO keeps the more pessimistic one: here samples past the favorable edge are never held back, and those that moved the wrong way lose their gradient.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    advantages = advantages.detach()
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    clipped = torch.clamp(ratio, 1 - clip_epsilon, 1 + clip_epsilon)
    return -torch.max(ratio * advantages, clipped * advantages).mean()
