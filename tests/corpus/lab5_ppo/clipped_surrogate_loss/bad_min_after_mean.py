# You average first and then take the smaller of two numbers: the pessimistic choice has to be made for each sample on its own.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    advantages = advantages.detach()
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    clipped = torch.clamp(ratio, 1 - clip_epsilon, 1 + clip_epsilon)
    return -torch.min((ratio * advantages).mean(), (clipped * advantages).mean())
