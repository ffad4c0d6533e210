# The logits are handed to Categorical as if they were probabilities (softmax of them first, and then as logits again).
from torch.distributions import Categorical


def reinforce_loss(logits, actions, returns):
    dist = Categorical(logits=logits.softmax(dim=-1))
    return -(dist.log_prob(actions) * returns.detach()).mean()
