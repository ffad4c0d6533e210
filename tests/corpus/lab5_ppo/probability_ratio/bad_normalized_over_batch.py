# Your ratios are normalized over the batch: they sum to 1, but the samples are not alternatives to each other.
import torch


def probability_ratio(new_log_probs, old_log_probs):
    return torch.softmax(new_log_probs - old_log_probs.detach(), dim=0)
