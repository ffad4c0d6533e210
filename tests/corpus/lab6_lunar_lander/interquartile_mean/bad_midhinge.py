# It is the mean of the two quartiles, not of what lies between them.


def interquartile_mean(x):
    return ((x.quantile(0.25) + x.quantile(0.75)) / 2).item()
