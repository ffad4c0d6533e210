# You average the ratio times its logarithm: the samples come from the old policy, so this estimates the divergence the other way round, and it can be negative.
import torch


def approx_kl(new_log_probs, old_log_probs):
    log_ratio = new_log_probs - old_log_probs
    return (torch.exp(log_ratio) * log_ratio).mean().item()
