# The sum runs forwards: it discounts the rewards of the past and looks back instead of ahead.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    running, found = last_value, []
    for reward in rewards.tolist():
        running = reward + gamma * running
        found.append(running)
    return torch.tensor(found)
