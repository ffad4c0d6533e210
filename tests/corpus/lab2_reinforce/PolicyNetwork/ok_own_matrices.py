# Style: parameters by hand and matrix products.
import torch
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.w1 = nn.Parameter(torch.randn(obs_dim, hidden) / obs_dim**0.5)
        self.b1 = nn.Parameter(torch.zeros(hidden))
        self.w2 = nn.Parameter(0.01 * torch.randn(hidden, n_actions))
        self.b2 = nn.Parameter(torch.zeros(n_actions))

    def forward(self, obs):
        return torch.tanh(obs @ self.w1 + self.b1) @ self.w2 + self.b2
