# You return a Python list of numbers: a list of floats carries no gradient, and the loss needs a tensor of shape [B].
import math

import torch


def probability_ratio(new_log_probs, old_log_probs):
    return [math.exp(new - old) for new, old in zip(new_log_probs.tolist(), old_log_probs.tolist())]
