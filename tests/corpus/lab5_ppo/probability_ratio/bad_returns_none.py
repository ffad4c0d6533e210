# It returns nothing: the caller gets None.
import torch


def probability_ratio(new_log_probs, old_log_probs):
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    print(ratio)
