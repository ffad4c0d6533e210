# You average over the batch; one number for each action is due.
import torch


def select_log_probs(logits, actions):
    return -torch.nn.functional.cross_entropy(logits, actions)
