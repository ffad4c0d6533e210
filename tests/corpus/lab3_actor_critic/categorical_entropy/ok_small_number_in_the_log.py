import torch


def categorical_entropy(logits):
    p = torch.softmax(logits, dim=-1)
    return -(p * torch.log(p + 1e-12)).sum(dim=-1)
