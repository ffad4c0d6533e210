# It divides by the range (largest minus smallest), not by the standard deviation.
def standardize(x, eps=1e-8):
    return (x - x.mean()) / (x.max() - x.min() + eps)
