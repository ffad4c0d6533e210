# You keep the dimension that gather needs: [B, 1] where [B] is due.
import torch


def select_log_probs(logits, actions):
    return torch.log_softmax(logits, -1).gather(-1, actions[:, None])
