# You detach the probabilities: the value is right, and half of the gradient is missing.
def categorical_entropy(logits):
    log_p = logits.log_softmax(dim=-1)
    return -(log_p.detach().exp() * log_p).sum(dim=-1)
