# Style: itertools.accumulate over the reversed rewards.
from itertools import accumulate

import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    backwards = accumulate(
        rewards.flip(0).tolist(), lambda later, r: r + gamma * later, initial=last_value
    )
    return torch.tensor(list(backwards)[1:], dtype=torch.float32).flip(0)
