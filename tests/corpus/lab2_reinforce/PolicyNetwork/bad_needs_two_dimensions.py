# It unpacks obs.shape into a batch size and an observation size, so only [B, O] works.
import torch
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.first = nn.Linear(obs_dim, hidden)
        self.last = nn.Linear(hidden, n_actions)

    def forward(self, obs):
        batch, _ = obs.shape
        return self.last(torch.tanh(self.first(obs))).view(batch, -1)
