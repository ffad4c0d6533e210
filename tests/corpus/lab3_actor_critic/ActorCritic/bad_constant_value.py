# Your value is one number for all states: it does not look at the observation.
import torch
from torch import nn


class ActorCritic(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.actor = nn.Sequential(
            nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, n_actions)
        )
        self.value = nn.Parameter(torch.zeros(()))

    def forward(self, obs):
        return self.actor(obs), self.value.expand(obs.shape[:-1])
