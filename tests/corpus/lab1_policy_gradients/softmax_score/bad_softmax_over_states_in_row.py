# You take the right row of a softmax that runs over the states.
import torch


def softmax_score(theta, state, action):
    score = torch.zeros_like(theta)
    score[state] = -torch.softmax(theta, dim=0)[state]
    score[state, action] += 1
    return score
