# It divides by the length of the vector (its norm), which makes every entry smaller by the root of B.
def standardize(x, eps=1e-8):
    centered = x - x.mean()
    return centered / (centered.norm() + eps)
