# You draw an action and return minus its log-probability: right on average only, and from the global random state.
import torch


def categorical_entropy(logits):
    d = torch.distributions.Categorical(logits=logits)
    return -d.log_prob(d.sample())
