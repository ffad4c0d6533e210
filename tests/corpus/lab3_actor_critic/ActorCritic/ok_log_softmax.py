import torch
from torch import nn


class ActorCritic(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.a1, self.a2 = nn.Linear(obs_dim, hidden), nn.Linear(hidden, n_actions)
        self.c1, self.c2 = nn.Linear(obs_dim, hidden), nn.Linear(hidden, 1)

    def forward(self, obs):
        obs = torch.as_tensor(obs, dtype=torch.float32)
        logits = self.a2(torch.tanh(self.a1(obs)))
        values = self.c2(torch.tanh(self.c1(obs)))
        return logits.log_softmax(dim=-1), values.squeeze(-1)
