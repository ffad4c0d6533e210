# Style: float64 inside, assignments by mask, a print and a warning.
import warnings

import torch
from torch import Tensor


def has_gradient(ratio: Tensor, advantages: Tensor, clip_epsilon: float) -> Tensor:
    """True where the sample still contributes to the gradient, bool [B]."""
    warnings.warn("zero advantages never contribute")
    r, a = ratio.detach().double(), advantages.detach().double()
    result = torch.empty_like(r, dtype=torch.bool).fill_(False)
    good, bad = a > 0, a < 0
    result[good] = r[good] <= 1 + clip_epsilon
    result[bad] = r[bad] >= 1 - clip_epsilon
    print("with gradient:", int(result.sum()))
    return result
