import torch


def score_function_gradient(scores, returns, baseline=0.0):
    contributions = scores * (returns - baseline)[:, None]
    samples = len(contributions)
    return contributions.mean(0), contributions.std(0) / samples**0.5
