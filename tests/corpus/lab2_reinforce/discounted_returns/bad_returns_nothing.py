# There is no return statement, so the result is None.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    returns = torch.zeros_like(rewards)
    running = last_value
    for t in reversed(range(len(rewards))):
        running = rewards[t] + gamma * running
        returns[t] = running
