# You divide by the square root of the number of parameters, not of samples.
import torch


def score_function_gradient(scores, returns, baseline=0.0):
    terms = scores * (returns - baseline)[:, None]
    return terms.mean(0), terms.std(0) / terms.shape[1] ** 0.5
