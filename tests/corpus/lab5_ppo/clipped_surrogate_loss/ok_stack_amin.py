# Style: both terms stacked, the smaller one taken along the new dimension.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    ratio = torch.expm1(new_log_probs - old_log_probs.detach()) + 1.0
    both = torch.stack([ratio, ratio.clamp(1 - clip_epsilon, 1 + clip_epsilon)]) * advantages.detach()
    return both.amin(dim=0).mean().mul(-1)
