# Your sign is the wrong way round, as in a loss; this is the gradient itself.
import torch


def score_function_gradient(scores, returns, baseline=0.0):
    terms = -scores * (returns - baseline)[:, None]
    return terms.mean(0), terms.std(0) / len(terms) ** 0.5
