# It returns nothing: the caller gets None.
import torch


def approx_kl(new_log_probs, old_log_probs):
    log_ratio = new_log_probs - old_log_probs
    print(((log_ratio.exp() - 1) - log_ratio).mean().item())
