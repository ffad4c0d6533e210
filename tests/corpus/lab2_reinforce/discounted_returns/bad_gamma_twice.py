# gamma is applied twice per step, so the discount is gamma squared.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    running, found = last_value, []
    for reward in reversed(rewards.tolist()):
        running = gamma * running
        running = reward + gamma * running
        found.append(running)
    return torch.tensor(found[::-1])
