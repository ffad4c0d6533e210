import torch
from torch.distributions import Categorical


def sample_actions(logits, generator):
    # Categorical draws from the global stream, so lend it one that comes from the generator
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
        policy = Categorical(logits=logits)
        actions = policy.sample()
    return actions, policy.log_prob(actions)
