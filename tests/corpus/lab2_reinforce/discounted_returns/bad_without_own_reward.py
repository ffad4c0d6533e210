# The reward of the step itself is left out: the return begins with the next one.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    running, found = last_value, []
    for reward in reversed(rewards.tolist()):
        found.append(gamma * running)
        running = reward + gamma * running
    return torch.tensor(found[::-1])
