# You return log pi itself, one number; its gradient has an entry for each entry of theta.
import torch


def softmax_score(theta, state, action):
    return torch.log_softmax(theta[state], -1)[action]
