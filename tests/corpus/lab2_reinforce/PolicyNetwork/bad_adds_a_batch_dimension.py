# A single observation gets a batch dimension, which is never taken away again.
import torch
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.first = nn.Linear(obs_dim, hidden)
        self.last = nn.Linear(hidden, n_actions)

    def forward(self, obs):
        if obs.dim() == 1:
            obs = obs.unsqueeze(0)
        return self.last(torch.tanh(self.first(obs)))
