# Style: helper functions, annotations, a docstring, a print and a warning.
import warnings

import torch
from torch import Tensor


def squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    return (prediction - target) * (prediction - target)


def clipped_value_loss(
    values: Tensor, old_values: Tensor, returns: Tensor, clip_epsilon: float
) -> Tensor:
    """Mean over the batch of the larger of two squared errors."""
    warnings.warn("the scale of the values matters here")
    old_values, returns = old_values.detach(), returns.detach()
    low, high = old_values - clip_epsilon, old_values + clip_epsilon
    clipped = torch.minimum(torch.maximum(values, low), high)
    worse = torch.max(squared_error(values, returns), squared_error(clipped, returns))
    print("worst:", worse.max().item())
    return worse.sum() / worse.numel()
