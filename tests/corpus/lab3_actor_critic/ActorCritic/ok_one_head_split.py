from torch import nn


class ActorCritic(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.n_actions = n_actions
        self.net = nn.Sequential(
            nn.Linear(obs_dim, hidden), nn.ELU(), nn.Linear(hidden, n_actions + 1)
        )

    def forward(self, obs):
        out = self.net(obs)
        return out[..., : self.n_actions], out[..., self.n_actions]
