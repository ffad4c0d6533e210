# Style: the standard library's pvariance, an exception for the guard.
from statistics import pvariance


def explained_variance(predicted, target):
    residual = (target - predicted).tolist()
    try:
        return 1 - pvariance(residual) / pvariance(target.tolist())
    except ZeroDivisionError:
        return float("nan")
