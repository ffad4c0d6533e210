# Your class is no nn.Module: it has no parameters() and no forward call.
from torch import nn


class ActorCritic:
    def __init__(self, obs_dim, n_actions, hidden=64):
        self.actor = nn.Sequential(
            nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, n_actions)
        )
        self.critic = nn.Sequential(nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def forward(self, obs):
        return self.actor(obs), self.critic(obs).squeeze(-1)
