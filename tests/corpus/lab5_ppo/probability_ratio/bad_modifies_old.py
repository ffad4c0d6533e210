# Your function changes old_log_probs in place: the next call with the same rollout would see other numbers.
import torch


def probability_ratio(new_log_probs, old_log_probs):
    with torch.no_grad():
        old_log_probs.mul_(-1)
    return torch.exp(new_log_probs + old_log_probs.detach())
