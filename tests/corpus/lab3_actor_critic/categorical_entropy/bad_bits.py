# You use the logarithm to base 2: that is the entropy in bits, nats are due.
import math


def categorical_entropy(logits):
    log_p = logits.log_softmax(dim=-1)
    return -(log_p.exp() * log_p).sum(dim=-1) / math.log(2)
