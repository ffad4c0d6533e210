# You subtract the mean return whatever baseline is asked for.
import torch


def score_function_gradient(scores, returns, baseline=0.0):
    terms = scores * (returns - returns.mean())[:, None]
    return terms.mean(0), terms.std(0) / len(terms) ** 0.5
