# You average ratios and advantages separately and multiply the two means: which action was good and which one was bad is lost.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    advantages = advantages.detach()
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    clipped = torch.clamp(ratio, 1 - clip_epsilon, 1 + clip_epsilon)
    mean_advantage = advantages.mean()
    return -torch.min(ratio.mean() * mean_advantage, clipped.mean() * mean_advantage)
