# The sum of the middle half is divided by R / 2, although more than half may be left.


def interquartile_mean(x):
    k = len(x) // 4
    return (x.sort().values[k : len(x) - k].sum() / (len(x) / 2)).item()
