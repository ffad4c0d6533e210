# You clamp the logits first: larger differences between them are lost, and the policy becomes another one.
def categorical_entropy(logits):
    log_p = logits.clamp(-1, 1).log_softmax(dim=-1)
    return -(log_p.exp() * log_p).sum(dim=-1)
