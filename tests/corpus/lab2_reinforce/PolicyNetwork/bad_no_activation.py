# There is no activation between the layers, or its result is not used: two linear layers in a row are one linear layer.
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(obs_dim, hidden), nn.Linear(hidden, n_actions))

    def forward(self, obs):
        return self.net(obs)
