# The result is float64; the course computes in float32.
import numpy as np
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    found = np.zeros(len(rewards))
    running = last_value
    for t in reversed(range(len(rewards))):
        running = rewards[t].item() + gamma * running
        found[t] = running
    return torch.from_numpy(found)
