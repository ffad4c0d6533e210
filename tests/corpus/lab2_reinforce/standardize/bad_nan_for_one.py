# The standard deviation with N - 1 of a single entry is NaN, and eps does not help against that.
def standardize(x, eps=1e-8):
    return (x - x.mean()) / (x.std() + eps)
