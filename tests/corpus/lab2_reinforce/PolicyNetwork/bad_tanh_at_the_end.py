# A tanh after the last layer keeps all logits between -1 and 1, so the policy can never become sure of an action.
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, n_actions), nn.Tanh()
        )

    def forward(self, obs):
        return self.net(obs)
