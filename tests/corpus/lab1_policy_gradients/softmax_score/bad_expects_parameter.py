# You differentiate with respect to theta as it comes, which does not require a gradient.
import torch


def softmax_score(theta, state, action):
    log_prob = torch.log_softmax(theta[state], -1)[action]
    return torch.autograd.grad(log_prob, theta)[0]
