# You add the baseline to the returns; it is subtracted.
import torch


def score_function_gradient(scores, returns, baseline=0.0):
    terms = scores * (returns + baseline)[:, None]
    return terms.mean(0), terms.std(0) / len(terms) ** 0.5
