import torch


def softmax_score(theta, state, action):
    mask = (torch.arange(theta.shape[0]) == state).unsqueeze(1)
    taken = (torch.arange(theta.shape[1]) == action).float()
    return torch.where(mask, taken - torch.softmax(theta, dim=1), 0.0)
