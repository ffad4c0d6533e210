import math

import torch.nn.functional as F


def categorical_entropy(logits):
    n = logits.shape[-1]
    log_p = F.log_softmax(logits, dim=-1)
    divergence = (log_p.exp() * (log_p + math.log(n))).sum(dim=-1)
    return math.log(n) - divergence
