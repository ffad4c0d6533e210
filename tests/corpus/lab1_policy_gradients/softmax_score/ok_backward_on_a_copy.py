import torch
from torch.distributions import Categorical


def softmax_score(theta, state, action):
    copy = torch.nn.Parameter(theta.clone())
    Categorical(logits=copy[state]).log_prob(torch.tensor(action)).backward()
    return copy.grad
