# The last value itself comes back as an extra entry: T rewards have T returns.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    found = [last_value]
    for reward in reversed(rewards.tolist()):
        found.append(reward + gamma * found[-1])
    return torch.tensor(found[::-1])
