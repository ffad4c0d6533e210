# Your sign is the wrong way round: softmax minus indicator, the gradient of minus log pi.
import torch


def softmax_score(theta, state, action):
    score = torch.zeros_like(theta)
    score[state] = torch.softmax(theta[state], -1)
    score[state, action] -= 1
    return score
