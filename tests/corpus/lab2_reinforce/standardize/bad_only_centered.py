# The mean is subtracted, but nothing is divided: the standard deviation stays as it was.
def standardize(x, eps=1e-8):
    return x - x.mean()
