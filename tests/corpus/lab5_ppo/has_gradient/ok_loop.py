# Style: a loop that fills a bool tensor.
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    mask = torch.zeros(ratio.shape[0], dtype=torch.bool)
    for b in range(ratio.shape[0]):
        if advantages[b] > 0:
            mask[b] = ratio[b] < 1 + clip_epsilon
        elif advantages[b] < 0:
            mask[b] = ratio[b] > 1 - clip_epsilon
    return mask
