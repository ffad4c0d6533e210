# Style: layers that find their input size at the first forward.
from torch import nn


class PolicyNetwork(nn.Module):
    def __init__(self, obs_dim, n_actions, hidden=64):
        super().__init__()
        self.net = nn.Sequential(nn.LazyLinear(hidden), nn.Tanh(), nn.LazyLinear(n_actions))

    def forward(self, obs):
        return self.net(obs)
