# Every step sums over all later steps anew: with 5000 steps that is 12 million terms.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    T = len(rewards)
    found = []
    for t in range(T):
        total = 0.0
        for k in range(t, T):
            total = total + gamma ** (k - t) * rewards[k]
        found.append(float(total) + gamma ** (T - t) * last_value)
    return torch.tensor(found)
