# Style: cut into episodes, then a linear filter run backwards over each.
import numpy as np
import torch
from scipy.signal import lfilter


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    delta = rewards + gamma * torch.where(terminated, 0.0, next_values) - values
    delta = delta.detach().numpy()
    done = torch.logical_or(terminated, truncated).numpy()
    out = np.empty_like(delta)
    for n in range(delta.shape[1]):
        start = 0
        for end in [*np.flatnonzero(done[:, n]), delta.shape[0] - 1]:
            if end < start:
                continue
            piece = delta[start : end + 1, n]
            out[start : end + 1, n] = lfilter([1], [1, -gamma * lam], piece[::-1])[::-1]
            start = end + 1
    advantages = torch.from_numpy(out)
    return advantages, advantages + values.detach()
