# You use the action as the row and the state as the column.
import torch


def softmax_score(theta, state, action):
    row, column = action % theta.shape[0], state % theta.shape[1]
    score = torch.zeros_like(theta)
    score[row] = -torch.softmax(theta[row], -1)
    score[row, column] += 1
    return score
