# A return statement stands inside the loop, so the function ends after the first step.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    returns = torch.zeros_like(rewards)
    running = last_value
    for t in reversed(range(len(rewards))):
        running = rewards[t] + gamma * running
        returns[t] = running
        return returns
