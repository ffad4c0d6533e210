# Style: torch.no_grad as a decorator, float64 inside, type annotations.
import torch


@torch.no_grad()
def approx_kl(new_log_probs: torch.Tensor, old_log_probs: torch.Tensor) -> float:
    """The k3 estimate of the KL divergence, in nats."""
    log_ratio = new_log_probs.to(torch.float64) - old_log_probs.to(torch.float64)
    k3 = log_ratio.exp().sub(1).sub(log_ratio)
    return k3.mean().item()
