# You multiply by the log-probability: that is the gradient of its square.
import torch


def softmax_score(theta, state, action):
    log_p = torch.log_softmax(theta[state], -1)
    score = torch.zeros_like(theta)
    score[state] = -log_p.exp()
    score[state, action] += 1
    return 2 * log_p[action] * score
