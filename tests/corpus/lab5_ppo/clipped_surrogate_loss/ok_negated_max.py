# Style: the maximum of the two negated terms.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    adv = advantages.detach()
    log_ratio = new_log_probs - old_log_probs.detach()
    ratio = log_ratio.exp()
    loss_1 = -adv * ratio
    loss_2 = -adv * ratio.clamp(min=1.0 - clip_epsilon, max=1.0 + clip_epsilon)
    return torch.max(loss_1, loss_2).mean()
