# You report the largest value in the batch: an estimate of the divergence is the average over the samples.
import torch


def approx_kl(new_log_probs, old_log_probs):
    log_ratio = new_log_probs - old_log_probs
    return ((log_ratio.exp() - 1) - log_ratio).max().item()
