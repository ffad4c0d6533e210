# It divides by the mean absolute deviation, which is smaller than the standard deviation.
def standardize(x, eps=1e-8):
    centered = x - x.mean()
    return centered / (centered.abs().mean() + eps)
