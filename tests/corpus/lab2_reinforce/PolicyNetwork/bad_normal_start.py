# All weights start from a standard normal distribution, which makes the first policy far from uniform.
import torch
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.w1 = nn.Parameter(torch.randn(obs_dim, hidden))
        self.w2 = nn.Parameter(torch.randn(hidden, n_actions))

    def forward(self, obs):
        return torch.relu(obs @ self.w1) @ self.w2
