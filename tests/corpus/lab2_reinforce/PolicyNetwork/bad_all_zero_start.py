# All weights start at zero: every hidden unit is zero, and so is the gradient of every weight.
import torch
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.w1 = nn.Parameter(torch.zeros(obs_dim, hidden))
        self.w2 = nn.Parameter(torch.zeros(hidden, n_actions))
        self.b2 = nn.Parameter(torch.zeros(n_actions))

    def forward(self, obs):
        return torch.tanh(obs @ self.w1) @ self.w2 + self.b2
