# You return the row of the state; the gradient has the shape of theta.
import torch


def softmax_score(theta, state, action):
    score = -torch.softmax(theta[state], -1)
    score[action] += 1
    return score
