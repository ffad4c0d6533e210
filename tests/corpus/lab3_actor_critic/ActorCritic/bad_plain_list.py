# You keep the layers of the critic in a plain list, where the optimizer does not find them.
from torch import nn


class ActorCritic(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.actor = nn.Sequential(
            nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, n_actions)
        )
        self.critic = [nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, 1)]

    def forward(self, obs):
        values = obs
        for layer in self.critic:
            values = layer(values)
        return self.actor(obs), values.squeeze(-1)
