# A small number added inside the logarithm bends the values and cuts the gradient off where the probability is tiny.
import torch


def reinforce_loss(logits, actions, returns):
    p = logits.softmax(dim=-1).gather(-1, actions[:, None])[:, 0]
    return -(torch.log(p + 1e-8) * returns.detach()).mean()
