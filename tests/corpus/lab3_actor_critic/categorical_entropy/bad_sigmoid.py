# You treat each action by itself with a sigmoid: probabilities of one row have to sum to one.
import torch
import torch.nn.functional as F


def categorical_entropy(logits):
    p = torch.sigmoid(logits)
    return (p * F.softplus(-logits) + (1 - p) * F.softplus(logits)).sum(dim=-1)
