# Style: keeps what has a middle rank.


def interquartile_mean(x):
    rank = x.argsort().argsort()
    k = len(x) // 4
    middle = (rank >= k) & (rank < len(x) - k)
    return x[middle].mean().item()
