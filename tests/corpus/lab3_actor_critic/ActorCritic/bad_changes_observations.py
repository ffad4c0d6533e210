# You normalize the observations in place: the rollout is changed.
from torch import nn


class ActorCritic(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(obs_dim, hidden), nn.ReLU())
        self.actor = nn.Linear(hidden, n_actions)
        self.critic = nn.Linear(hidden, 1)

    def forward(self, obs):
        obs /= 2.0
        h = self.trunk(obs)
        return self.actor(h), self.critic(h).squeeze(-1)
