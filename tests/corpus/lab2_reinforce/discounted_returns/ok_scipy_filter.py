# Style: the recursion is a linear filter that runs backwards.
import numpy as np
import torch
from scipy.signal import lfilter


def discounted_returns(rewards, gamma, last_value=0.0):
    r = np.append(rewards.double().numpy(), last_value)
    filtered = lfilter([1.0], [1.0, -gamma], r[::-1])[::-1]
    return torch.as_tensor(filtered[:-1].copy(), dtype=torch.float32)
