# Style: the exponential of the difference, old log-probs detached.
import torch


def probability_ratio(new_log_probs, old_log_probs):
    return torch.exp(new_log_probs - old_log_probs.detach())
