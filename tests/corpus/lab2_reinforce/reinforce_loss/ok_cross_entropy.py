# Style: cross-entropy without reduction is minus the log-probability.
import torch.nn.functional as F


def reinforce_loss(logits, actions, returns):
    losses = F.cross_entropy(logits, actions, reduction="none")
    return (losses * returns.detach()).mean()
