# You return a tensor: this number is for monitoring, a plain Python float is wanted.
import torch


def approx_kl(new_log_probs, old_log_probs):
    with torch.no_grad():
        log_ratio = new_log_probs - old_log_probs
        return ((log_ratio.exp() - 1) - log_ratio).mean()
