# Style: a one-hot mask and a sum over actions and samples.
import torch
import torch.nn.functional as F


def reinforce_loss(logits, actions, returns):
    mask = F.one_hot(actions, logits.shape[-1]).float()
    per_sample = (mask * logits.log_softmax(-1)).sum(dim=-1)
    return -(per_sample * returns.data).sum() / returns.numel()
