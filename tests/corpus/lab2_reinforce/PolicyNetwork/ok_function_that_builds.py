# Style: a function that returns an nn.Sequential does all that the class has to do.
from torch import nn


def PolicyNetwork(obs_dim, n_actions, hidden=64):
    return nn.Sequential(nn.Linear(obs_dim, hidden), nn.ELU(), nn.Linear(hidden, n_actions))
