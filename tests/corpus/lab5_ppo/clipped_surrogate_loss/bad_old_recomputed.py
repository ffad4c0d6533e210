# The old log-probabilities you were given are not used: you compare the new policy with itself, so the ratio is always 1 and nothing is ever clipped.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    advantages = advantages.detach()
    old_log_probs = new_log_probs.detach()
    ratio = torch.exp(new_log_probs - old_log_probs)
    clipped = torch.clamp(ratio, 1 - clip_epsilon, 1 + clip_epsilon)
    return -torch.min(ratio * advantages, clipped * advantages).mean()
