# Style: the class is an nn.Sequential itself, so forward comes for free.
from torch import nn


class PolicyNetwork(nn.Sequential):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__(
            nn.Linear(obs_dim, hidden),
            nn.LeakyReLU(),
            nn.Linear(hidden, hidden),
            nn.LeakyReLU(),
            nn.Linear(hidden, n_actions),
        )
