# You divide the standard deviation by the number of samples, not by its square root.
import torch


def score_function_gradient(scores, returns, baseline=0.0):
    terms = scores * (returns - baseline)[:, None]
    return terms.mean(0), terms.std(0) / len(terms)
