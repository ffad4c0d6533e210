# The function calls itself once per step, and Python stops at about a thousand calls inside each other.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    if len(rewards) == 1:
        return rewards + gamma * last_value
    later = discounted_returns(rewards[1:], gamma, last_value)
    return torch.cat([rewards[:1] + gamma * later[:1], later])
