# All leading dimensions are flattened to one, so [T, N] comes back as [T * N], and one observation as a batch of one.
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.obs_dim = obs_dim
        self.net = nn.Sequential(
            nn.Linear(obs_dim, hidden), nn.ReLU(), nn.Linear(hidden, n_actions)
        )

    def forward(self, obs):
        return self.net(obs.reshape(-1, self.obs_dim))
