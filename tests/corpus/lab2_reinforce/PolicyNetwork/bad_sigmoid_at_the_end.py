# A sigmoid at the end keeps all logits between 0 and 1, so the policy can never become sure of an action.
import torch
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.a = nn.Linear(obs_dim, hidden)
        self.b = nn.Linear(hidden, n_actions)

    def forward(self, obs):
        return torch.sigmoid(self.b(torch.relu(self.a(obs))))
