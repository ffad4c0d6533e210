import torch
import torch.nn.functional as F


def softmax_score(theta, state, action):
    states, actions = theta.shape
    here = F.one_hot(torch.tensor(state), states).float()
    taken = F.one_hot(torch.tensor(action), actions).float()
    return torch.outer(here, taken - theta[state].softmax(dim=0))
