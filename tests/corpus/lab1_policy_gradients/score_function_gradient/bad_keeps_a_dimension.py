# Your results keep a dimension: [1, D] where [D] is due.
import torch


def score_function_gradient(scores, returns, baseline=0.0):
    terms = scores * (returns - baseline)[:, None]
    return terms.mean(0, keepdim=True), terms.std(0, keepdim=True) / len(terms) ** 0.5
