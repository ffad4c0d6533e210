# Without parentheses only the mean is divided: x - (mean / std).
def standardize(x, eps=1e-8):
    return x - x.mean() / (x.std(correction=0) + eps)
