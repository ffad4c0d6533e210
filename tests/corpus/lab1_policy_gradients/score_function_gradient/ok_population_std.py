import math

import torch


def score_function_gradient(scores, returns, baseline=0.0):
    terms = scores * (returns - baseline).unsqueeze(-1)
    spread = terms.std(dim=0, correction=0)
    return terms.mean(dim=0), spread / math.sqrt(terms.shape[0])
