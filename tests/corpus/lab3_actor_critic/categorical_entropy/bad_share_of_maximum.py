# You divide by the largest possible entropy: nats are due, not a share.
import math


def categorical_entropy(logits):
    log_p = logits.log_softmax(dim=-1)
    return -(log_p.exp() * log_p).sum(dim=-1) / math.log(max(logits.shape[-1], 2))
