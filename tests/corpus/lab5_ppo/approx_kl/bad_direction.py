# The direction is swapped: your ratio is old over new, so you estimate a different divergence.
import torch


def approx_kl(new_log_probs, old_log_probs):
    log_ratio = (old_log_probs - new_log_probs).detach()
    return ((log_ratio.exp() - 1) - log_ratio).mean().item()
