# You detach the result: no gradient reaches the logits.
import torch


def select_log_probs(logits, actions):
    return torch.log_softmax(logits, -1).gather(-1, actions[:, None]).squeeze(-1).detach()
