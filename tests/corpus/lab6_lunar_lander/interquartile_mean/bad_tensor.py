# It returns a tensor, not a Python number.


def interquartile_mean(x):
    k = len(x) // 4
    return x.sort().values[k : len(x) - k].mean()
