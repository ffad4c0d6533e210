# Style: float64 inside, cast back at the end.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    new = new_log_probs.double()
    old = old_log_probs.detach().double()
    adv = advantages.detach().double()
    ratio = torch.exp(new - old)
    surrogate = torch.min(ratio * adv, ratio.clip(1 - clip_epsilon, 1 + clip_epsilon) * adv)
    return surrogate.mean().neg().float()
