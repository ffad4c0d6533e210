# Style: a loop over Python numbers with the math module.
import math

import torch


def approx_kl(new_log_probs, old_log_probs):
    total = 0.0
    for new, old in zip(new_log_probs.tolist(), old_log_probs.tolist()):
        total += math.expm1(new - old) - (new - old)
    return total / len(new_log_probs)
