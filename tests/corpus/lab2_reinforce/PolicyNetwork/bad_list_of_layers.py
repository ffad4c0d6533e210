# The layers stand in a plain Python list, so the module does not know them and they are never trained.
import torch
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.layers = [nn.Linear(obs_dim, hidden), nn.Linear(hidden, n_actions)]

    def forward(self, obs):
        return self.layers[1](torch.tanh(self.layers[0](obs)))
