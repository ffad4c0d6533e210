# Your standard error is that of the returns alone.
import torch


def score_function_gradient(scores, returns, baseline=0.0):
    terms = scores * (returns - baseline)[:, None]
    return terms.mean(0), (returns - baseline).std() / len(returns) ** 0.5
