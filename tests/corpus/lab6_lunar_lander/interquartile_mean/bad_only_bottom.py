# Only the lowest quarter is left out.


def interquartile_mean(x):
    return x.sort().values[len(x) // 4 :].mean().item()
