# The same gamma * last_value is added at every step, however far the end is.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    running, found = 0.0, []
    for reward in reversed(rewards.tolist()):
        running = reward + gamma * running
        found.append(running + gamma * last_value)
    return torch.tensor(found[::-1])
