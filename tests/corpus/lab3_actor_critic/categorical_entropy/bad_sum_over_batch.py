# You sum over everything, the batch included: one entropy for each row is due.
def categorical_entropy(logits):
    log_p = logits.log_softmax(dim=-1)
    return -(log_p.exp() * log_p).sum()
