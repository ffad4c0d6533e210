# The layers are made at the first forward: an optimizer built before that finds nothing to train.
import torch
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.n_actions, self.hidden = n_actions, hidden
        self.net = None

    def forward(self, obs):
        if self.net is None:
            self.net = nn.Sequential(
                nn.Linear(obs.shape[-1], self.hidden),
                nn.Tanh(),
                nn.Linear(self.hidden, self.n_actions),
            )
        return self.net(obs)
