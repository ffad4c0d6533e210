# Style: a no_grad mask decides which samples keep their gradient; the rest enter as constants.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    with torch.no_grad():
        too_high = (advantages > 0) & (ratio > 1 + clip_epsilon)
        too_low = (advantages < 0) & (ratio < 1 - clip_epsilon)
    high, low = torch.full_like(ratio, 1 + clip_epsilon), torch.full_like(ratio, 1 - clip_epsilon)
    effective = torch.where(too_high, high, torch.where(too_low, low, ratio))
    return -(effective * advantages.detach()).mean()
