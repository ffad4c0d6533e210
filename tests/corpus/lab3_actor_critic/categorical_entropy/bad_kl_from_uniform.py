# You return the distance from the uniform policy: large where the entropy is small.
import math


def categorical_entropy(logits):
    log_p = logits.log_softmax(dim=-1)
    return (log_p.exp() * (log_p + math.log(logits.shape[-1]))).sum(dim=-1)
