# It is the mean of all numbers; nothing is left out.


def interquartile_mean(x):
    return x.mean().item()
