# Style: numpy's interpolation between the two ends.
import numpy as np


def linear_schedule(update, n_updates, initial):
    return float(np.interp(update, [0, n_updates], [initial, 0.0]))
