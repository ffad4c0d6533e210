# Your standard error uses the baseline, your mean does not.
import torch


def score_function_gradient(scores, returns, baseline=0.0):
    plain = scores * returns[:, None]
    terms = scores * (returns - baseline)[:, None]
    return plain.mean(0), terms.std(0) / len(terms) ** 0.5
