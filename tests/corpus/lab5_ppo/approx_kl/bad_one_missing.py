# The constant is missing: for an unchanged policy your value is 1, but a policy has no distance from itself.
import torch


def approx_kl(new_log_probs, old_log_probs):
    log_ratio = new_log_probs - old_log_probs
    return (log_ratio.exp() - log_ratio).mean().item()
