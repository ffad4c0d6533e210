# The activation is made in __init__ and never used in forward, so the network is linear.
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.first = nn.Linear(obs_dim, hidden)
        self.activation = nn.ReLU()
        self.second = nn.Linear(hidden, n_actions)

    def forward(self, obs):
        x = self.first(obs)
        self.activation(x)
        return self.second(x)
