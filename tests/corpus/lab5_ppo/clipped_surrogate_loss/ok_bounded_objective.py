# Style: a bound per sample, (1 + eps) A or (1 - eps) A, then the minimum with ratio * A.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    advantages = advantages.detach()
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    bound = torch.where(
        advantages > 0, (1 + clip_epsilon) * advantages, (1 - clip_epsilon) * advantages
    )
    return -torch.minimum(ratio * advantages, bound).mean()
