# You forget the 1 of the chosen action.
import torch


def softmax_score(theta, state, action):
    score = torch.zeros_like(theta)
    score[state] = -torch.softmax(theta[state], -1)
    return score
