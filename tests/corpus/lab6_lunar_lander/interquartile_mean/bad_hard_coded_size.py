# It leaves out two numbers at each end, whatever their number.


def interquartile_mean(x):
    k = 2 if len(x) > 4 else 0
    return x.sort().values[k : len(x) - k].mean().item()
