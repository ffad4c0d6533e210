# It is the usual median (the mean of the two middle numbers), not the mean of the middle half.


def interquartile_mean(x):
    return x.double().quantile(0.5).item()
