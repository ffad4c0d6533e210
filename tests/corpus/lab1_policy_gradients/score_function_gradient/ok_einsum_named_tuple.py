from collections import namedtuple

import torch

Estimate = namedtuple("Estimate", "mean standard_error")


def score_function_gradient(scores, returns, baseline=0.0):
    weights = returns - baseline
    mean = torch.einsum("md,m->d", scores, weights) / len(weights)
    deviations = torch.einsum("md,m->md", scores, weights) - mean
    variance = deviations.pow(2).sum(0) / (len(weights) - 1)
    return Estimate(mean, (variance / len(weights)).sqrt())
