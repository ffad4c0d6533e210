# Style: expm1 of the log-ratio, plus one.
import torch


def probability_ratio(new_log_probs, old_log_probs):
    log_ratio = new_log_probs - old_log_probs.detach()
    return torch.expm1(log_ratio) + 1
