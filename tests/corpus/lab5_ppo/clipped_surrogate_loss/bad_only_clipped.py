# Only the clipped term is left: a sample that has moved the wrong way out of the band gets no gradient, so it can never come back.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    clipped = torch.clamp(ratio, 1 - clip_epsilon, 1 + clip_epsilon)
    return -(clipped * advantages.detach()).mean()
