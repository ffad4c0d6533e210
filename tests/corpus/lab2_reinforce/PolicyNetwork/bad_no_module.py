# The class does not inherit from nn.Module, so it has no parameters() for the optimizer.
from torch import nn


class PolicyNetwork:
    def __init__(self, obs_dim, n_actions, hidden=64):
        self.net = nn.Sequential(
            nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, n_actions)
        )

    def __call__(self, obs):
        return self.net(obs)
