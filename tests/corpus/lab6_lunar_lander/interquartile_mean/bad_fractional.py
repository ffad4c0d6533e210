# Of a number that straddles the quarter it counts a part, where whole numbers are left out.


def interquartile_mean(x):
    ordered = x.double().sort().values
    n = len(x)
    weights = [max(0.0, min(i + 1, 0.75 * n) - max(i, 0.25 * n)) for i in range(n)]
    return sum(w * v for w, v in zip(weights, ordered.tolist())) / sum(weights)
