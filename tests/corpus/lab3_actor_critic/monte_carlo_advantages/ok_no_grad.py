import torch


@torch.no_grad()
def monte_carlo_advantages(returns: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    advantages = torch.sub(returns, values)
    return advantages
