# Style: NumPy in float64 with a deque, back to float32 at the end.
from collections import deque

import numpy as np
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    found = deque()
    later = np.float64(last_value)
    for t in range(len(rewards) - 1, -1, -1):
        later = np.float64(rewards[t].item()) + gamma * later
        found.appendleft(later)
    return torch.from_numpy(np.array(found)).float()
