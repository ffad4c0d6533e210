# Every new log-probability meets every old one: the differences are [B, B], but sample b belongs only to sample b.
import torch


def approx_kl(new_log_probs, old_log_probs):
    log_ratio = new_log_probs.unsqueeze(-1) - old_log_probs
    return (torch.exp(log_ratio) - 1 - log_ratio).mean().item()
