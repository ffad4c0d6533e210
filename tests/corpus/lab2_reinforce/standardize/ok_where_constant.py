# Style: the constant batch is told apart by its spread; eps is not needed.
import torch


def standardize(x, eps=1e-8):
    centered = x - x.mean()
    spread = centered.square().mean().sqrt()
    if spread == 0:
        return torch.zeros_like(x)
    return centered / spread
