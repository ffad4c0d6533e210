# You return one value per sample: one number for the whole batch is wanted.
import torch


def approx_kl(new_log_probs, old_log_probs):
    log_ratio = (new_log_probs - old_log_probs).detach()
    return ((log_ratio.exp() - 1) - log_ratio).tolist()
