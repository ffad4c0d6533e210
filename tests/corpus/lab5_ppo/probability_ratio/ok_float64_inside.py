# Style: computes in float64 and casts back to the dtype of the input.
import torch


def probability_ratio(new_log_probs: torch.Tensor, old_log_probs: torch.Tensor) -> torch.Tensor:
    """Ratio of the probabilities under the new and the old policy, shape [B]."""
    difference = new_log_probs.double() - old_log_probs.detach().double()
    return difference.exp().to(new_log_probs.dtype)
