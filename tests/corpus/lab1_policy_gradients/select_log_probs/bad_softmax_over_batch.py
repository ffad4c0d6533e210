# Your softmax runs over the batch, not over the actions.
import torch


def select_log_probs(logits, actions):
    return torch.log_softmax(logits, dim=0).gather(-1, actions[:, None]).squeeze(-1)
