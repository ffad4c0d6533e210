# You return a tensor that still holds the graph: this number is for monitoring, a plain float is wanted.
import torch


def approx_kl(new_log_probs, old_log_probs):
    log_ratio = new_log_probs - old_log_probs
    return ((log_ratio.exp() - 1) - log_ratio).mean()
