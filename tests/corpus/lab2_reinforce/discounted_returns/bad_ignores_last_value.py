# last_value is not used: an episode that only ran out of time looks as if it had ended.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    running, found = 0.0, []
    for reward in reversed(rewards.tolist()):
        running = reward + gamma * running
        found.append(running)
    return torch.tensor(found[::-1])
