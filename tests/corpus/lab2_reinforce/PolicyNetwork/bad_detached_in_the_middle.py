# The hidden layer's output is detached: no gradient reaches the first layer.
import torch
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.first = nn.Linear(obs_dim, hidden)
        self.last = nn.Linear(hidden, n_actions)

    def forward(self, obs):
        features = torch.tanh(self.first(obs)).detach()
        return self.last(features)
