# The layers are made in forward: each call has new random ones, and the optimizer knows none of them.
import torch
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.sizes = obs_dim, n_actions, hidden

    def forward(self, obs):
        obs_dim, n_actions, hidden = self.sizes
        first, second = nn.Linear(obs_dim, hidden), nn.Linear(hidden, n_actions)
        return second(torch.tanh(first(obs)))
