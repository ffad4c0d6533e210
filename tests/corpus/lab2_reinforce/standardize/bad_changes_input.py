# The batch is changed in place, while the caller still needs it as it was.
def standardize(x, eps=1e-8):
    x -= x.mean()
    x /= x.std(correction=0) + eps
    return x
