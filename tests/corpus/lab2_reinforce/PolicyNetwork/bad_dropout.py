# Dropout draws new noise at every call: the policy that is trained is not the one that played.
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(obs_dim, hidden), nn.ReLU(), nn.Dropout(0.5), nn.Linear(hidden, n_actions)
        )

    def forward(self, obs):
        return self.net(obs)
