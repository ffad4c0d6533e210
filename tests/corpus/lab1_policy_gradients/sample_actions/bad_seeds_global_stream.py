# You seed the global stream from the generator and leave it so: everybody else's randomness changes.
import torch
from torch.distributions import Categorical


def sample_actions(logits, generator):
    torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
    policy = Categorical(logits=logits)
    actions = policy.sample()
    return actions, policy.log_prob(actions)
