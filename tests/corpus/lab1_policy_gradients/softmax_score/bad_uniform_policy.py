# You subtract 1/A everywhere, as if the policy were always uniform.
import torch


def softmax_score(theta, state, action):
    score = torch.zeros_like(theta)
    score[state] = -1 / theta.shape[1]
    score[state, action] += 1
    return score
