# Style: the last layer starts at zero, so that the first policy is exactly uniform.
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.hidden = nn.Linear(obs_dim, hidden)
        self.act = nn.ReLU()
        self.out = nn.Linear(hidden, n_actions)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, obs):
        return self.out(self.act(self.hidden(obs)))
