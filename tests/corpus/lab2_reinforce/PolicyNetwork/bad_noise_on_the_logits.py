# Exploration noise is added inside the network, so the same observation gets other logits each time.
import torch
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.first = nn.Linear(obs_dim, hidden)
        self.last = nn.Linear(hidden, n_actions)

    def forward(self, obs):
        logits = self.last(torch.tanh(self.first(obs)))
        return logits + 0.1 * torch.randn_like(logits)
