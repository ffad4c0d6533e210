# Your function works for a single sample only: turning a whole batch into one Python number raises an error.
import torch


def probability_ratio(new_log_probs, old_log_probs):
    return torch.exp(new_log_probs - old_log_probs.item())
