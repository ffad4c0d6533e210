# The sum of the middle half is divided by the number of all.


def interquartile_mean(x):
    k = len(x) // 4
    return (x.sort().values[k : len(x) - k].sum() / len(x)).item()
