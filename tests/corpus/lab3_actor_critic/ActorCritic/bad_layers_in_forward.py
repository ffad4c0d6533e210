# You make the critic's layer in forward: each call has a new one, and none is ever trained.
from torch import nn


class ActorCritic(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.actor = nn.Sequential(
            nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, n_actions)
        )
        self.hidden = hidden

    def forward(self, obs):
        critic = nn.Sequential(nn.Linear(obs.shape[-1], self.hidden), nn.Tanh(), nn.Linear(self.hidden, 1))
        return self.actor(obs), critic(obs).squeeze(-1)
