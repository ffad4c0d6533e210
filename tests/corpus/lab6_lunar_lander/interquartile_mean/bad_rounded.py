# The result is rounded to a whole number.


def interquartile_mean(x):
    k = len(x) // 4
    return round(x.sort().values[k : len(x) - k].mean().item())
