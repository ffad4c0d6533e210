# You divide the gradient of log pi by pi once more.
import torch


def softmax_score(theta, state, action):
    p = torch.softmax(theta[state], -1)
    score = torch.zeros_like(theta)
    score[state] = -p / p[action]
    score[state, action] += 1 / p[action]
    return score
