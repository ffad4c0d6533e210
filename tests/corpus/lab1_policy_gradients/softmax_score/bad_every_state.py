# You fill in the rows of all states; only the visited state's row changes.
import torch


def softmax_score(theta, state, action):
    score = -torch.softmax(theta, -1)
    score[:, action] += 1
    return score
