# You subtract the largest logit in place: the logits you were given are changed.
def categorical_entropy(logits):
    shifted = logits.data
    shifted -= shifted.max(dim=-1, keepdim=True).values
    log_p = logits.log_softmax(dim=-1)
    return -(log_p.exp() * log_p).sum(dim=-1)
