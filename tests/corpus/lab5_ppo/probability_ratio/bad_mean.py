# You averaged the batch into one number: each sample needs its own ratio.
import torch


def probability_ratio(new_log_probs, old_log_probs):
    return torch.exp(new_log_probs - old_log_probs.detach()).mean()
