# Style: a power of two, with the exponent converted from nats to bits.
import math

import torch


def probability_ratio(new_log_probs, old_log_probs):
    bits = (new_log_probs - old_log_probs.data) / math.log(2.0)
    return torch.exp2(bits)
