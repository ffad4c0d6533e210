# The returns are standardized inside: that is another function's job.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    running, found = last_value, []
    for reward in reversed(rewards.tolist()):
        running = reward + gamma * running
        found.append(running)
    returns = torch.tensor(found[::-1])
    return (returns - returns.mean()) / (returns.std(correction=0) + 1e-8)
