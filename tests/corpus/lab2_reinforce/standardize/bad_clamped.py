# The result is clamped to [-1, 1]: what is far from the mean is cut off.
def standardize(x, eps=1e-8):
    return ((x - x.mean()) / (x.std(correction=0) + eps)).clamp(-1, 1)
