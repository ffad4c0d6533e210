# You leave log space too early: both probabilities are computed first, and when both are tiny they round to 0, so you get 0/0 = NaN.
import torch


def probability_ratio(new_log_probs, old_log_probs):
    new_probs = torch.exp(new_log_probs)
    old_probs = torch.exp(old_log_probs.detach())
    return new_probs / old_probs
