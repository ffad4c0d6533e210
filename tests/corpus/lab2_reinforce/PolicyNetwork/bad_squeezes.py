# squeeze() removes every dimension of size 1: a batch of one loses its batch dimension.
import torch
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.first = nn.Linear(obs_dim, hidden)
        self.last = nn.Linear(hidden, n_actions)

    def forward(self, obs):
        return self.last(torch.tanh(self.first(obs))).squeeze()
