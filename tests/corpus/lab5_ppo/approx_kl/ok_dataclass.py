# Style: a small dataclass that holds the log-ratio and offers the estimate as a property.
from dataclasses import dataclass

import torch


@dataclass
class Change:
    log_ratio: torch.Tensor

    @property
    def kl(self) -> float:
        return torch.mean(torch.exp(self.log_ratio) - self.log_ratio - 1).item()


def approx_kl(new_log_probs, old_log_probs):
    return Change(log_ratio=new_log_probs.detach() - old_log_probs.detach()).kl
