# You return the half-width of a 95 % interval, 1.96 standard errors.
import torch


def score_function_gradient(scores, returns, baseline=0.0):
    terms = scores * (returns - baseline)[:, None]
    return terms.mean(0), 1.96 * terms.std(0) / len(terms) ** 0.5
