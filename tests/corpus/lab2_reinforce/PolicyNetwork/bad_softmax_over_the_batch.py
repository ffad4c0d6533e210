# There is a softmax at the end, and it even runs over the batch (dim=0), so that observations influence each other.
import torch
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.a = nn.Linear(obs_dim, hidden)
        self.b = nn.Linear(hidden, n_actions)

    def forward(self, obs):
        return torch.softmax(self.b(torch.tanh(self.a(obs))), dim=0)
