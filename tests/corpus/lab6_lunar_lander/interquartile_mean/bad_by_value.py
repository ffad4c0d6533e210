# It keeps what lies in the middle half of the range from the smallest to the largest number.


def interquartile_mean(x):
    low, high = x.min(), x.max()
    edge = (high - low) / 4
    return x[(x >= low + edge) & (x <= high - edge)].mean().item()
