# Style: 0 / 0 is repaired afterwards; a print.
import torch


def standardize(x, eps=1e-8):
    print("standardizing", len(x))
    return torch.nan_to_num((x - x.mean()) / x.std())
