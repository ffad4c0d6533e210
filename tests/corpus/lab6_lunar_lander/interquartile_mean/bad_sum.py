# It is the sum of the middle half, not its mean.


def interquartile_mean(x):
    k = len(x) // 4
    return x.sort().values[k : len(x) - k].sum().item()
