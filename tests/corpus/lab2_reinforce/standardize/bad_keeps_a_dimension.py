# The result has an extra dimension, [1, B] instead of [B].
def standardize(x, eps=1e-8):
    x = x.unsqueeze(0)
    mean = x.mean(dim=1, keepdim=True)
    return (x - mean) / (x.std(dim=1, keepdim=True, correction=0) + eps)
