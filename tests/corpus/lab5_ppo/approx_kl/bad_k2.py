# You average half the squared log-ratio: that is another estimator, close for small changes and off for large ones.
import torch


def approx_kl(new_log_probs, old_log_probs):
    return (0.5 * (new_log_probs - old_log_probs) ** 2).mean().item()
