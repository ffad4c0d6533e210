# You stopped at the difference of the log-probabilities: that is the log of the ratio, not the ratio (it is 0 where the ratio is 1).
import torch


def probability_ratio(new_log_probs, old_log_probs):
    return new_log_probs - old_log_probs.detach()
