# Style: a linear path beside the hidden layer, no bias in the head, with a print and a warning.
import warnings

import torch
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super(PolicyNetwork, self).__init__()
        warnings.warn("a network is made", stacklevel=1)
        print("hidden", hidden)
        self.skip = nn.Linear(obs_dim, n_actions)
        self.up = nn.Linear(obs_dim, hidden)
        self.down = nn.Linear(hidden, n_actions, bias=False)

    def forward(self, obs):
        return self.skip(obs) + self.down(torch.sigmoid(self.up(obs.float())))
