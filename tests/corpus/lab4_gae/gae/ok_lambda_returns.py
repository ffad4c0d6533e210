# Style: the recursion of the lambda-returns; the advantages are what is left over the values.
import torch


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    values, next_values = values.detach(), next_values.detach()
    worth = torch.where(terminated, torch.zeros_like(next_values), next_values)
    returns = torch.empty_like(rewards)
    ahead = worth[-1]
    for t in reversed(range(rewards.size(0))):
        done = terminated[t] | truncated[t]
        mixed = (1 - lam) * worth[t] + lam * ahead
        returns[t] = rewards[t] + gamma * torch.where(done, worth[t], mixed)
        ahead = returns[t]
    return returns - values, returns
