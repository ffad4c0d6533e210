# A quarter that is no whole number is rounded up.


def interquartile_mean(x):
    k = min(-(-len(x) // 4), (len(x) - 1) // 2)
    return x.sort().values[k : len(x) - k].mean().item()
