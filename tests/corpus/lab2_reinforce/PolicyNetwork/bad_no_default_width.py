# The default value of hidden is gone: PolicyNetwork(4, 2) does not work any more.
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, n_actions)
        )

    def forward(self, obs):
        return self.net(obs)
