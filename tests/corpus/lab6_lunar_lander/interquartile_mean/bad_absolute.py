# The numbers are ordered by their size without the sign.


def interquartile_mean(x):
    k = len(x) // 4
    return x[x.abs().argsort()][k : len(x) - k].mean().item()
