import torch


def categorical_entropy(logits):
    p = torch.softmax(logits, dim=-1).clamp(min=1e-20)
    return -(p * p.log()).sum(-1)
