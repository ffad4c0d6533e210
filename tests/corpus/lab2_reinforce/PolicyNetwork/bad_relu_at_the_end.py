# A ReLU after the last layer: half of the logits are cut off at zero and get no gradient there.
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(obs_dim, hidden), nn.ReLU(), nn.Linear(hidden, n_actions), nn.ReLU()
        )

    def forward(self, obs):
        return self.net(obs)
