# The last layer starts with weights so large that the first policy is sure of itself already.
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.first = nn.Linear(obs_dim, hidden)
        self.last = nn.Linear(hidden, n_actions)
        nn.init.normal_(self.last.weight, std=2.0)
        self.act = nn.Tanh()

    def forward(self, obs):
        return self.last(self.act(self.first(obs)))
