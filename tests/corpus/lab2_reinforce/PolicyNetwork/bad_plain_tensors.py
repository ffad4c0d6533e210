# The weights are plain tensors with requires_grad, no nn.Parameter, so the optimizer does not find them.
import torch
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.w1 = (torch.randn(obs_dim, hidden) / obs_dim**0.5).requires_grad_()
        self.w2 = (0.1 * torch.randn(hidden, n_actions)).requires_grad_()

    def forward(self, obs):
        return torch.tanh(obs @ self.w1) @ self.w2
