# The last value is added to the last reward without gamma; it lies one step later.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    values = rewards.tolist()
    running, found = values[-1] + last_value, []
    found.append(running)
    for reward in reversed(values[:-1]):
        running = reward + gamma * running
        found.append(running)
    return torch.tensor(found[::-1])
