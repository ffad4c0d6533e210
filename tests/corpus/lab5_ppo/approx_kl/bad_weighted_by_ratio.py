# You weight the log-ratio by the ratio: the samples come from the old policy already, so this estimates the divergence the other way round.
import torch


def approx_kl(new_log_probs, old_log_probs):
    log_ratio = new_log_probs - old_log_probs
    ratio = log_ratio.exp()
    return (ratio * log_ratio - (ratio - 1)).mean().item()
