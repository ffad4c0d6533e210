# Style: a triangular matrix of discounts times the rewards.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    T = len(rewards)
    steps = torch.arange(T)
    ahead = (steps[None, :] - steps[:, None]).float()
    discounts = torch.where(ahead >= 0, gamma ** ahead.clamp(min=0), 0.0)
    tail = gamma ** (T - steps).float() * last_value
    return discounts @ rewards + tail
