import torch
from torch import nn


class ActorCritic(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.w = nn.Parameter(torch.randn(obs_dim, hidden) / obs_dim**0.5)
        self.b = nn.Parameter(torch.zeros(hidden))
        self.w_pi = nn.Parameter(torch.randn(hidden, n_actions) * 0.01)
        self.w_v = nn.Parameter(torch.randn(hidden) / hidden**0.5)
        self.b_v = nn.Parameter(torch.zeros(()))

    def forward(self, obs):
        h = torch.tanh(obs @ self.w + self.b)
        return h @ self.w_pi, h @ self.w_v + self.b_v
