# Style: N in the standard deviation, eps beside it.
def standardize(x, eps=1e-8):
    return (x - x.mean()) / (x.std(correction=0) + eps)
