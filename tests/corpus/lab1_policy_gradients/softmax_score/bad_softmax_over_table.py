# Your softmax runs over the whole table: the policies of different states have nothing to do with each other.
import torch


def softmax_score(theta, state, action):
    score = -torch.softmax(theta.reshape(-1), 0).reshape(theta.shape)
    score[state, action] += 1
    return score
