# You forget the normalization of the softmax: its gradient takes the policy's average away.
import torch


def softmax_score(theta, state, action):
    score = torch.zeros_like(theta)
    score[state, action] = 1.0
    return score
