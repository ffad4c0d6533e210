# Nothing is returned.


def interquartile_mean(x):
    k = len(x) // 4
    x.sort().values[k : len(x) - k].mean().item()
