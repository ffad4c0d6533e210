# You return minus the log-probability, the loss of a classifier.
import torch


def select_log_probs(logits, actions):
    return torch.nn.functional.cross_entropy(logits, actions, reduction="none")
