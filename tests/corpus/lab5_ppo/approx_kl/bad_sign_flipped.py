# The sign is flipped: your value is never positive, so a limit on it could never be passed.
import torch


def approx_kl(new_log_probs, old_log_probs):
    log_ratio = new_log_probs - old_log_probs
    return (log_ratio - (log_ratio.exp() - 1)).mean().item()
