# Style: log-probabilities are logits too, since softmax of them gives the same policy.
import torch
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.first = nn.Linear(obs_dim, hidden)
        self.last = nn.Linear(hidden, n_actions)

    def forward(self, obs):
        return torch.log_softmax(self.last(torch.relu(self.first(obs))), dim=-1)
