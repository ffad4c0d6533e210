# You forget to sum over the actions.
def categorical_entropy(logits):
    log_p = logits.log_softmax(dim=-1)
    return -(log_p.exp() * log_p)
