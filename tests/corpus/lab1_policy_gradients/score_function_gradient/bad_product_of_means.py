# You multiply the mean score with the mean return; the mean of the products is due.
import torch


def score_function_gradient(scores, returns, baseline=0.0):
    terms = scores * (returns - baseline)[:, None]
    mean = scores.mean(0) * (returns - baseline).mean()
    return mean, terms.std(0) / len(terms) ** 0.5
