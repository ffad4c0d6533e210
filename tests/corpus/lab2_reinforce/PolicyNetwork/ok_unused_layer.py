# Style: flattens the leading dimensions and restores them; one layer is left over from an attempt.
import torch
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.left_over = nn.Linear(hidden, hidden)
        self.first = nn.Linear(obs_dim, hidden)
        self.second = nn.Linear(hidden, n_actions)
        self.n_actions = n_actions

    def forward(self, obs):
        leading = obs.shape[:-1]
        flat = obs.reshape(-1, obs.shape[-1])
        logits = self.second(torch.nn.functional.silu(self.first(flat)))
        return logits.reshape(*leading, self.n_actions)
