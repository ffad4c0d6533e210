import torch


def select_log_probs(logits, actions):
    rows = torch.arange(len(actions))
    return logits[rows, actions] - torch.logsumexp(logits, dim=-1)
