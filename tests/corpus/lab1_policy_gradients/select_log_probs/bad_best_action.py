# You return the log-probability of the likeliest action, whatever action was taken.
import torch


def select_log_probs(logits, actions):
    return torch.log_softmax(logits, -1).max(dim=-1).values
