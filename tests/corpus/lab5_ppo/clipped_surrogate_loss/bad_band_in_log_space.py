# You clip the log of the ratio: the band 1 - epsilon to 1 + epsilon is meant for the ratio itself, in log space it has other edges.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    advantages = advantages.detach()
    log_ratio = new_log_probs - old_log_probs.detach()
    ratio = log_ratio.exp()
    clipped = torch.clamp(log_ratio, -clip_epsilon, clip_epsilon).exp()
    return -torch.min(ratio * advantages, clipped * advantages).mean()
