# Style: torch.where on the sign of the advantage, one bound per sign.
import torch


def clipped_surrogate_loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    with torch.no_grad():
        old = old_log_probs.clone()
        weight = advantages.clone()
    ratio = (new_log_probs - old).exp()
    bounded = torch.where(
        weight >= 0,
        ratio.clamp(max=1 + clip_epsilon),
        ratio.clamp(min=1 - clip_epsilon),
    )
    return -(bounded * weight).mean()
