import math

import torch


def softmax_score(theta, state, action):
    row = theta[state].tolist()
    top = max(row)
    total = sum(math.exp(x - top) for x in row)
    score = [[0.0] * len(row) for _ in range(len(theta))]
    for b, x in enumerate(row):
        score[state][b] = (1.0 if b == action else 0.0) - math.exp(x - top) / total
    return torch.tensor(score)
