import torch


def softmax_score(theta, state, action):
    variable = theta.detach().clone().requires_grad_(True)
    log_prob = variable[state].log_softmax(-1)[action]
    (gradient,) = torch.autograd.grad(log_prob, variable)
    return gradient
