import torch


def select_log_probs(logits, actions):
    chosen = []
    for row, action in zip(logits, actions):
        highest = row.max().detach()
        total = (row - highest).exp().sum().log() + highest
        chosen.append(row[action] - total)
    return torch.stack(chosen)
