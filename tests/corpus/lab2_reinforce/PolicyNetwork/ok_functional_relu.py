# Style: layers as attributes, the activation as a function.
import torch.nn.functional as F
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.fc1 = nn.Linear(obs_dim, hidden)
        self.fc2 = nn.Linear(hidden, n_actions)

    def forward(self, obs):
        return self.fc2(F.relu(self.fc1(obs)))
