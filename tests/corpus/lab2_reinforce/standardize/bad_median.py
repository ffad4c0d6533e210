# It subtracts the median, so the mean is not 0.
def standardize(x, eps=1e-8):
    return (x - x.median()) / (x.std(correction=0) + eps)
