# The minus is missing: an entropy is never negative.
def categorical_entropy(logits):
    log_p = logits.log_softmax(dim=-1)
    return (log_p.exp() * log_p).sum(dim=-1)
