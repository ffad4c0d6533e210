# Style: in place, on a copy.
def standardize(x, eps=1e-8):
    y = x.clone()
    y -= y.mean()
    y /= y.std(unbiased=False) + eps
    return y
