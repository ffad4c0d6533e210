# Your softmax runs over the batch: the probabilities of one row have to sum to one.
def categorical_entropy(logits):
    log_p = logits.log_softmax(dim=0)
    return -(log_p.exp() * log_p).sum(dim=-1)
