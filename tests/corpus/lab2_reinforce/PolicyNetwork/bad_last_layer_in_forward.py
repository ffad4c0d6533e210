# The last layer is made anew in every forward: its weights are never trained.
import torch
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.first = nn.Linear(obs_dim, hidden)
        self.n_actions = n_actions

    def forward(self, obs):
        x = torch.tanh(self.first(obs))
        return nn.Linear(x.shape[-1], self.n_actions)(x)
