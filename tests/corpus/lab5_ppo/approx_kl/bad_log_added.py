# The log-ratio enters with the wrong sign: your value is negative where the policy likes the actions less, and a distance is not.
import torch


def approx_kl(new_log_probs, old_log_probs):
    log_ratio = new_log_probs - old_log_probs
    return ((torch.exp(log_ratio) - 1) + log_ratio).mean().item()
