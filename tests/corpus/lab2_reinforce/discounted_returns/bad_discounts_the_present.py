# The reward of the step itself is discounted too: it should count in full.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    running, found = last_value, []
    for reward in reversed(rewards.tolist()):
        running = gamma * (reward + running)
        found.append(running)
    return torch.tensor(found[::-1])
