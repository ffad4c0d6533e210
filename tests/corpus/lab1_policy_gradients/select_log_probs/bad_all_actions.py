# You return the log-probabilities of all actions, not of those that were taken.
import torch


def select_log_probs(logits, actions):
    return torch.log_softmax(logits, -1)
