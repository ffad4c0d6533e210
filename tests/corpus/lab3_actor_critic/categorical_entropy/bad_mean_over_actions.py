# You average over the actions where the sum is due.
def categorical_entropy(logits):
    log_p = logits.log_softmax(dim=-1)
    return -(log_p.exp() * log_p).mean(dim=-1)
