# The hidden layer has requires_grad switched off: only the last layer learns.
import torch
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.first = nn.Linear(obs_dim, hidden)
        self.first.requires_grad_(False)
        self.last = nn.Linear(hidden, n_actions)

    def forward(self, obs):
        return self.last(torch.tanh(self.first(obs)))
