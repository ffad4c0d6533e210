# Your softmax runs over the states, not over the actions.
import torch


def softmax_score(theta, state, action):
    score = torch.zeros_like(theta)
    score[:, action] = -torch.softmax(theta[:, action], 0)
    score[state, action] += 1
    return score
