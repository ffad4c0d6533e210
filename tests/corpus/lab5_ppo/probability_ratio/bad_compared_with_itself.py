# You compare the new policy with itself: the old log-probabilities you were given are not used, so the ratio is always 1.
import torch


def probability_ratio(new_log_probs, old_log_probs):
    ratio = torch.exp(new_log_probs - new_log_probs.detach())
    return ratio
