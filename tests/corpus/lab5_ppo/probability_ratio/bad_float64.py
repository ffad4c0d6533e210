# Your result is float64: float32 comes in, so float32 should go out, or later operations meet mixed types.
import torch


def probability_ratio(new_log_probs, old_log_probs):
    return torch.exp(new_log_probs.double() - old_log_probs.detach().double())
