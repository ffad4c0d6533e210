# You return the mean and forget the standard error.
import torch


def score_function_gradient(scores, returns, baseline=0.0):
    return (scores * (returns - baseline)[:, None]).mean(0)
