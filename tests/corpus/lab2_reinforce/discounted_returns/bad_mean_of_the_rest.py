# It is the mean of the rewards still to come, not their discounted sum.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    left = torch.arange(len(rewards), 0, -1)
    return (rewards.flip(0).cumsum(0).flip(0) + last_value) / left
