# Your function works for a single sample only: a whole batch cannot be turned into one Python number that early.
import math

import torch


def approx_kl(new_log_probs, old_log_probs):
    log_ratio = new_log_probs.item() - old_log_probs.item()
    return (math.exp(log_ratio) - 1) - log_ratio
