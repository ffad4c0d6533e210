# There is no return statement, so the result is None.
def standardize(x, eps=1e-8):
    y = (x - x.mean()) / (x.std(correction=0) + eps)
