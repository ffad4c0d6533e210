# Style: NumPy's partition in float64.
import numpy as np


def interquartile_mean(x):
    a = x.double().numpy()
    k = a.size // 4
    a = np.partition(a, (k, a.size - k - 1))
    return np.mean(a[k : a.size - k])
