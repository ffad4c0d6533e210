import torch


def softmax_score(theta, state, action, width=1e-5):
    exact = theta.double()
    score = torch.zeros_like(exact)
    for s in range(exact.shape[0]):
        for a in range(exact.shape[1]):
            step = torch.zeros_like(exact)
            step[s, a] = width
            up, down = ((exact + sign * step)[state].log_softmax(0)[action] for sign in (1, -1))
            score[s, a] = (up - down) / (2 * width)
    return score.float()
