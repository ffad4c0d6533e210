# You take the smaller of the two ratios and multiply afterwards: for a bad action the smaller ratio is the more hopeful one, not the more pessimistic.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    advantages = advantages.detach()
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    clipped = torch.clamp(ratio, 1 - clip_epsilon, 1 + clip_epsilon)
    return -(torch.min(ratio, clipped) * advantages).mean()
