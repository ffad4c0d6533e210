# Everything but the first dimension is flattened (nn.Flatten), so [T, N, O] does not fit the first layer.
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.net = nn.Sequential(
            nn.Flatten(), nn.Linear(obs_dim, hidden), nn.ReLU(), nn.Linear(hidden, n_actions)
        )

    def forward(self, obs):
        return self.net(obs)
