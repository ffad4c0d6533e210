# The hidden layers stand in a plain Python list: only the last layer is registered, the others are never trained.
import torch
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.hidden_layers = [nn.Linear(obs_dim, hidden), nn.Linear(hidden, hidden)]
        self.head = nn.Linear(hidden, n_actions)

    def forward(self, obs):
        for layer in self.hidden_layers:
            obs = torch.relu(layer(obs))
        return self.head(obs)
