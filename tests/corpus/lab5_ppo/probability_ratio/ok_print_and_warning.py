# Style: prints, warns and asserts; the value is right.
import warnings

import torch
from torch import Tensor


def probability_ratio(new_log_probs: Tensor, old_log_probs: Tensor) -> Tensor:
    assert new_log_probs.shape == old_log_probs.shape, "shapes differ"
    warnings.warn("ratios can leave the band even when the loss is clipped")
    print("batch of", len(new_log_probs))
    log_ratio = new_log_probs - old_log_probs.detach()
    return log_ratio.exp()
