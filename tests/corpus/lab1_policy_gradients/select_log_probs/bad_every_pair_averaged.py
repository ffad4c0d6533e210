# logits[:, actions] picks the columns of all actions for every row, and you then average them away.
import torch


def select_log_probs(logits, actions):
    return torch.log_softmax(logits, -1)[:, actions].mean(dim=1)
