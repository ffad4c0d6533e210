# The discount counts from the beginning of the episode, gamma^k, instead of from step t, gamma^(k-t).
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    T = len(rewards)
    discounts = torch.tensor([gamma**k for k in range(T)])
    weighted = rewards * discounts
    return weighted.flip(0).cumsum(0).flip(0) + gamma**T * last_value
