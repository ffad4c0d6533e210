# It is the interquartile range, a spread, not a mean.


def interquartile_mean(x):
    return (x.quantile(0.75) - x.quantile(0.25)).item()
