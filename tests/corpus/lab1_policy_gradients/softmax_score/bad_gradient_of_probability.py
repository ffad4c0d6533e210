# You differentiate the probability itself, not its logarithm.
import torch


def softmax_score(theta, state, action):
    p = torch.softmax(theta[state], -1)
    score = torch.zeros_like(theta)
    score[state] = -p[action] * p
    score[state, action] += p[action]
    return score
