# You give one standard error for all numbers together; each has its own.
import torch


def score_function_gradient(scores, returns, baseline=0.0):
    terms = scores * (returns - baseline)[:, None]
    return terms.mean(0), terms.std() / len(terms) ** 0.5
