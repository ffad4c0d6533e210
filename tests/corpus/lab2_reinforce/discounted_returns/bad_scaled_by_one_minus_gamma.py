# The returns are multiplied by 1 - gamma, which makes them a weighted average instead of a sum.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    running, found = last_value, []
    for reward in reversed(rewards.tolist()):
        running = reward + gamma * running
        found.append(running)
    return (1 - gamma) * torch.tensor(found[::-1])
