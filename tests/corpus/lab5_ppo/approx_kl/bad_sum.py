# You sum over the batch instead of averaging: the same change looks larger the more samples you have.
import torch


def approx_kl(new_log_probs, old_log_probs):
    log_ratio = new_log_probs - old_log_probs
    return ((log_ratio.exp() - 1) - log_ratio).sum().item()
