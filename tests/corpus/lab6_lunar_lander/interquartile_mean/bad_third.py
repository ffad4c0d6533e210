# A third is left out at each end.


def interquartile_mean(x):
    k = len(x) // 3
    return x.sort().values[k : len(x) - k].mean().item()
