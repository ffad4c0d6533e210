# The observations are scaled in place, so the caller's tensor is changed.
import torch
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.first = nn.Linear(obs_dim, hidden)
        self.last = nn.Linear(hidden, n_actions)

    def forward(self, obs):
        obs.clamp_(-0.5, 0.5)
        return self.last(torch.tanh(self.first(obs)))
