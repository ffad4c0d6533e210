from torch import nn


class ActorCritic(nn.Module):
    """Two classes of its own; the value is summed out of its last dimension."""

    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.parts = nn.ModuleList([self.mlp(obs_dim, hidden, n) for n in (n_actions, 1)])

    @staticmethod
    def mlp(n_in, hidden, n_out):
        return nn.Sequential(nn.Linear(n_in, hidden), nn.GELU(), nn.Linear(hidden, n_out))

    def forward(self, obs):
        logits, value = [part(obs) for part in self.parts]
        return [logits, value.sum(dim=-1)]
