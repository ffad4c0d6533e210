# You return float64 where float32 is due.
def categorical_entropy(logits):
    log_p = logits.double().log_softmax(dim=-1)
    return -(log_p.exp() * log_p).sum(dim=-1)
