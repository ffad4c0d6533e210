# You draw with Categorical, which knows no generator and uses PyTorch's global stream.
import torch
from torch.distributions import Categorical


def sample_actions(logits, generator):
    policy = Categorical(logits=logits)
    actions = policy.sample()
    return actions, policy.log_prob(actions)
