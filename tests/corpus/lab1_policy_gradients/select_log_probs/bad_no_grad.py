# You compute under torch.no_grad: no gradient reaches the logits.
import torch


@torch.no_grad()
def select_log_probs(logits, actions):
    return torch.log_softmax(logits, -1).gather(-1, actions[:, None]).squeeze(-1)
