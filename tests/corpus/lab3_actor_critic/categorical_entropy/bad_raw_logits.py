# You weight the raw logits instead of the log-probabilities: a shift of all logits changes the result.
def categorical_entropy(logits):
    return -(logits.softmax(dim=-1) * logits).sum(dim=-1)
