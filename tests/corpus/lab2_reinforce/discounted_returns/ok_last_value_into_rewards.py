# Style: the last value counts as part of the last reward, on a copy; a print and a warning.
import warnings

import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    warnings.warn("working", stacklevel=1)
    returns = rewards.clone()
    returns[-1] += gamma * last_value
    print(len(returns), "steps")
    for t in range(len(returns) - 2, -1, -1):
        returns[t] += gamma * returns[t + 1]
    return returns
