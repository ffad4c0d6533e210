# The last step gets no return: the loop begins one step too early and leaves it at zero.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    returns = torch.zeros_like(rewards)
    running = rewards[-1] + gamma * last_value
    for t in range(len(rewards) - 2, -1, -1):
        running = rewards[t] + gamma * running
        returns[t] = running
    return returns
