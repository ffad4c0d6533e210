# It keeps what lies between interpolated quartiles, which are other numbers if R is not divisible by 4.


def interquartile_mean(x):
    low, high = x.quantile(0.25), x.quantile(0.75)
    return x[(x >= low) & (x <= high)].mean().item()
