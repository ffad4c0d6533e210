# You clip the advantages instead of the ratio: how good an action was is data, only the change of the policy is to be limited.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    advantages = advantages.detach()
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    clipped = torch.clamp(advantages, 1 - clip_epsilon, 1 + clip_epsilon)
    return -torch.min(ratio * advantages, ratio * clipped).mean()
