# The slice ends one number too early.


def interquartile_mean(x):
    k = len(x) // 4
    return x.sort().values[k : max(len(x) - k - 1, k + 1)].mean().item()
