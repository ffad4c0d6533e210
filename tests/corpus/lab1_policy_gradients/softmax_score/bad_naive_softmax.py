# You exponentiate the preferences as they are: exp of a large one is infinite in float32.
import torch


def softmax_score(theta, state, action):
    weights = torch.exp(theta[state])
    score = torch.zeros_like(theta)
    score[state] = -weights / weights.sum()
    score[state, action] += 1
    return score
