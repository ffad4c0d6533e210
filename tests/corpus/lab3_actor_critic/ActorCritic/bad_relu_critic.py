# There is a ReLU at the end of the critic: negative values are cut off at zero.
from torch import nn


class ActorCritic(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.actor = nn.Sequential(
            nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, n_actions)
        )
        self.critic = nn.Sequential(nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, 1), nn.ReLU())

    def forward(self, obs):
        return self.actor(obs), self.critic(obs).squeeze(-1)
