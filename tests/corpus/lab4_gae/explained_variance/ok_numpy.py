# Style: NumPy in float64.
import numpy as np
import torch


def explained_variance(predicted, target):
    p = np.asarray(predicted.detach(), dtype=np.float64)
    y = np.asarray(target.detach(), dtype=np.float64)
    v = np.var(y)
    return float(np.nan if v == 0 else 1 - np.var(y - p) / v)
