import torch


def softmax_score(theta, state, action):
    def log_policy(table):
        return table[state].log_softmax(-1)[action]

    return torch.func.grad(log_policy)(theta.detach())
