# The last value takes the place of the last reward instead of following it.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    values = rewards.tolist()
    running = last_value if last_value else values[-1]
    found = [running]
    for reward in reversed(values[:-1]):
        running = reward + gamma * running
        found.append(running)
    return torch.tensor(found[::-1])
