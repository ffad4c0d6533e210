# You average the difference of the log-probabilities: right on average, but it can be negative and is noisier than the estimator asked for.
import torch


def approx_kl(new_log_probs, old_log_probs):
    return (old_log_probs - new_log_probs).mean().item()
