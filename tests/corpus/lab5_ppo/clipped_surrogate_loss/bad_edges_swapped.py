# The two edges of the band are swapped: good actions meet the lower one and bad actions the upper one, so samples inside the band are held back already.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    advantages = advantages.detach()
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    edge = torch.where(advantages > 0, 1 - clip_epsilon, 1 + clip_epsilon)
    return -torch.min(ratio * advantages, edge * advantages).mean()
