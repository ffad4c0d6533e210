# You squeeze: with a batch of one the batch dimension disappears too.
def categorical_entropy(logits):
    log_p = logits.log_softmax(dim=-1)
    return -(log_p.exp() * log_p).sum(dim=-1).squeeze()
