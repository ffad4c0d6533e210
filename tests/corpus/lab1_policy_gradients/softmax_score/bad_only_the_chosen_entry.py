# You fill in the entry of the chosen action only; the others go down when this one goes up.
import torch


def softmax_score(theta, state, action):
    score = torch.zeros_like(theta)
    score[state, action] = 1 - torch.softmax(theta[state], -1)[action]
    return score
