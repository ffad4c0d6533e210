# The sizes of the second layer are swapped: nn.Linear wants the input size first.
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(n_actions, hidden)
        )

    def forward(self, obs):
        return self.net(obs)
