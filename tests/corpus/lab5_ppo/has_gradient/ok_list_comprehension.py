# Style: a nested function on Python numbers and a list comprehension, made a tensor at the end.
import torch


def has_gradient(ratio, advantages, clip_epsilon):
    def one(r, a):
        if a == 0:
            return False
        return r < 1 + clip_epsilon if a > 0 else r > 1 - clip_epsilon

    return torch.tensor([one(r, a) for r, a in zip(ratio.tolist(), advantages.tolist())], dtype=torch.bool)
