# Style: N - 1 in the standard deviation, with a batch of one looked at first.
import torch


def standardize(x: torch.Tensor, eps: float = 1e-8) -> torch.Tensor:
    if x.numel() < 2:
        return torch.zeros_like(x)
    return (x - x.mean()) / (x.std() + eps)
