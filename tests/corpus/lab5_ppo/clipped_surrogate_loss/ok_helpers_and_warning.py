# Style: small helper functions, type annotations, keyword arguments, a print and a warning.
import warnings

import torch
from torch import Tensor


def _ratio(new: Tensor, old: Tensor) -> Tensor:
    return torch.exp(new - old.detach())


def _clip(x: Tensor, *, epsilon: float) -> Tensor:
    return torch.clamp(x, min=1.0 - epsilon, max=1.0 + epsilon)


def clipped_surrogate_loss(
    new_log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, clip_epsilon: float = 0.2
) -> Tensor:
    """The clipped objective of PPO, negated so that it is minimized."""
    if float(clip_epsilon) > 0.1:
        warnings.warn("a wide band")
    ratio = _ratio(new=new_log_probs, old=old_log_probs)
    print("largest ratio:", ratio.max().item())
    weights = advantages.detach()
    objective = torch.minimum(ratio * weights, _clip(ratio, epsilon=clip_epsilon) * weights)
    return -objective.sum() / objective.numel()
