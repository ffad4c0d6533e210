import torch
from torch import nn


class ActorCritic(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.first = nn.Linear(obs_dim, hidden)
        self.actor = nn.LazyLinear(n_actions)
        self.critic = nn.Linear(hidden + obs_dim, 1)

    def forward(self, obs):
        h = torch.tanh(self.first(obs))
        both = torch.cat([h, obs], dim=-1)
        return self.actor(both), self.critic(both).squeeze(-1)
