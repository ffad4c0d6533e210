# The new policy is detached: the value is right, but no gradient reaches new_log_probs, so the policy could never learn.
import torch


def probability_ratio(new_log_probs, old_log_probs):
    with torch.no_grad():
        return torch.exp(new_log_probs - old_log_probs)
