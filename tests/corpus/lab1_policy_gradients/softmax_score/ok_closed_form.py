import torch


def softmax_score(theta, state, action):
    score = torch.zeros_like(theta)
    score[state] = -torch.softmax(theta[state], -1)
    score[state, action] += 1
    return score
