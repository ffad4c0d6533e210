import torch


def categorical_entropy(logits):
    p = torch.softmax(logits, dim=1)
    return torch.logsumexp(logits, dim=1) - (p * logits).sum(dim=1)
