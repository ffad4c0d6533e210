# You build the result in theta itself and so change the policy.
import torch


def softmax_score(theta, state, action):
    p = torch.softmax(theta[state], -1)
    theta.zero_()
    theta[state] = -p
    theta[state, action] += 1
    return theta
