# You subtract the largest logit in place and so change the caller's logits.
import torch


def select_log_probs(logits, actions):
    with torch.no_grad():
        logits -= logits.max(dim=-1, keepdim=True).values
    return torch.log_softmax(logits, -1).gather(-1, actions[:, None]).squeeze(-1)
