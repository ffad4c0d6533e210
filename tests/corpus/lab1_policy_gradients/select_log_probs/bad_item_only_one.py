# You turn the action into a number with .item(), which works for a batch of one only.
import torch


def select_log_probs(logits, actions):
    return torch.log_softmax(logits, -1)[:, actions.item()]
