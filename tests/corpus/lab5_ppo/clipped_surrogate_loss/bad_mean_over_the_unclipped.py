# You divide by the number of samples inside the band: the others belong to the batch as well, so your loss is too large whenever a ratio is outside.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    advantages = advantages.detach()
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    clipped = torch.clamp(ratio, 1 - clip_epsilon, 1 + clip_epsilon)
    objective = torch.min(ratio * advantages, clipped * advantages)
    inside = ((ratio - 1).abs() <= clip_epsilon).sum()
    return -objective.sum() / inside.clamp(min=1)
