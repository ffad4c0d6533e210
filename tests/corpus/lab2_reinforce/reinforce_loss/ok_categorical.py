# Style: torch.distributions.
import torch
from torch.distributions import Categorical


def reinforce_loss(logits: torch.Tensor, actions: torch.Tensor, returns: torch.Tensor):
    weights = returns.detach()
    return torch.mean(-Categorical(logits=logits).log_prob(actions) * weights)
