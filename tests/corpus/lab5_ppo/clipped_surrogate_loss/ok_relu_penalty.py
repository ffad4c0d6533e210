# Style: the unclipped objective minus what lies above the clipped one (relu).
import torch
from torch.nn import functional as F


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    adv = advantages.detach()
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    surr = ratio * adv
    surr_clipped = torch.clamp(ratio, 1 - clip_epsilon, 1 + clip_epsilon) * adv
    return -torch.mean(surr - F.relu(surr - surr_clipped))
