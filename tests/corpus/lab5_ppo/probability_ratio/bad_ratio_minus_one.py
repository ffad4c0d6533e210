# You return the relative change, which is 0 for an unchanged policy: the ratio itself is 1 there.
import torch


def probability_ratio(new_log_probs, old_log_probs):
    return torch.expm1(new_log_probs - old_log_probs.detach())
