import torch
from torch.distributions import Categorical


def select_log_probs(logits: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    policy = Categorical(logits=logits)
    return policy.log_prob(actions)
