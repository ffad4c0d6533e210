# Style: a Python loop over the samples, stacked at the end.
import torch


def probability_ratio(new_log_probs, old_log_probs):
    ratios = []
    for new, old in zip(new_log_probs, old_log_probs):
        ratios.append(torch.exp(new - old.item()))
    return torch.stack(ratios)
