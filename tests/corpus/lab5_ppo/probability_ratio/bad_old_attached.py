# The old policy is still attached: a gradient flows into old_log_probs, although the old policy is a fixed anchor.
import torch


def probability_ratio(new_log_probs, old_log_probs):
    return torch.exp(new_log_probs - old_log_probs)
