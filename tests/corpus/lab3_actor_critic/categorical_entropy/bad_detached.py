# You detach: the value is right, and no gradient can push the entropy up.
def categorical_entropy(logits):
    log_p = logits.detach().log_softmax(dim=-1)
    return -(log_p.exp() * log_p).sum(dim=-1)
