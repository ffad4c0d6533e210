# You use the difference of the log-probabilities as the ratio: that is its log, 0 for an unchanged policy, and far outside the band.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    advantages = advantages.detach()
    ratio = new_log_probs - old_log_probs.detach()
    clipped = torch.clamp(ratio, 1 - clip_epsilon, 1 + clip_epsilon)
    return -torch.min(ratio * advantages, clipped * advantages).mean()
