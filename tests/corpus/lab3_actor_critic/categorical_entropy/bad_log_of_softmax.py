# You take the logarithm of the softmax: where a probability is 0 it gives 0 times minus infinity, NaN.
def categorical_entropy(logits):
    p = logits.softmax(dim=-1)
    return -(p * p.log()).sum(dim=-1)
