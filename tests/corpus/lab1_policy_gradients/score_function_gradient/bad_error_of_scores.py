# Your standard error is that of the scores alone, without the returns.
import torch


def score_function_gradient(scores, returns, baseline=0.0):
    terms = scores * (returns - baseline)[:, None]
    return terms.mean(0), scores.std(0) / len(scores) ** 0.5
