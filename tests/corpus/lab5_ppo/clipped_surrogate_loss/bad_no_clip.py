# Nothing is clipped: this is the plain importance-weighted objective, and epsilon has no effect.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    return -(ratio * advantages.detach()).mean()
