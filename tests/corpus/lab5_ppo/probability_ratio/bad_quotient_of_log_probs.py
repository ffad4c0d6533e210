# You divided the log-probabilities by each other: a quotient of logs is not the log of a quotient, and not the ratio either.
import torch


def probability_ratio(new_log_probs, old_log_probs):
    return new_log_probs / old_log_probs.detach()
