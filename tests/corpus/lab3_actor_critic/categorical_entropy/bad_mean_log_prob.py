# You average minus the log-probabilities without weighting each by its probability.
def categorical_entropy(logits):
    return -logits.log_softmax(dim=-1).mean(dim=-1)
