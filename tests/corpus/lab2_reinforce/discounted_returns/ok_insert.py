# Style: insert at the front of a list, then stack the 0-d tensors.
import torch


def discounted_returns(rewards, gamma, last_value=0.0):
    G, out = last_value, []
    for r in torch.flip(rewards, dims=[0]):
        G = r + gamma * G
        out.insert(0, G)
    return torch.stack(out)
