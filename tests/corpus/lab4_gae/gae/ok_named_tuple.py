# Style: a named tuple, everything detached at the end, a warning on the way.
import warnings
from collections import namedtuple

import torch

Targets = namedtuple("Targets", "advantages returns")


def gae(rewards, values, next_values, terminated, truncated, gamma, lam):
    warnings.warn("computing advantages")
    delta = rewards + gamma * next_values * terminated.logical_not() - values
    more = gamma * lam * (terminated + truncated).logical_not()
    advantages = [delta[-1]]
    for d, m in zip(delta[:-1].flip(0), more[:-1].flip(0)):
        advantages.append(d + m * advantages[-1])
    advantages = torch.stack(advantages[::-1]).detach()
    return Targets(advantages=advantages, returns=(advantages + values).detach())
