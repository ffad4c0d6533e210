from typing import NamedTuple

import torch
from torch import nn


class Output(NamedTuple):
    logits: torch.Tensor
    values: torch.Tensor


class ActorCritic(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(obs_dim, hidden), nn.LayerNorm(hidden), nn.SiLU())
        self.heads = nn.ModuleDict({"pi": nn.Linear(hidden, n_actions), "v": nn.Linear(hidden, 1)})

    def forward(self, obs):
        features = self.body(obs)
        return Output(self.heads["pi"](features), self.heads["v"](features).view(obs.shape[:-1]))
