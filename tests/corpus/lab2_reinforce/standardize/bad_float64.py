# The result is float64; the course computes in float32.
def standardize(x, eps=1e-8):
    x = x.double()
    return (x - x.mean()) / (x.std(correction=0) + eps)
