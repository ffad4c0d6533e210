# Style: Python numbers and the definition of the variance.
import math


def explained_variance(predicted, target):
    y, p = target.tolist(), predicted.tolist()
    res = [a - b for a, b in zip(y, p)]

    def sum_of_squares(x):
        mean = sum(x) / len(x)
        return sum((v - mean) ** 2 for v in x)

    below = sum_of_squares(y)
    return 1 - sum_of_squares(res) / below if below > 0 else math.nan
