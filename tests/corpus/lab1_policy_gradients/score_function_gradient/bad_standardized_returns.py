# You scale the returns to mean 0 and standard deviation 1, which changes the gradient.
import torch


def score_function_gradient(scores, returns, baseline=0.0):
    advantage = returns - baseline
    advantage = (advantage - advantage.mean()) / (advantage.std(correction=0) + 1e-8)
    terms = scores * advantage[:, None]
    return terms.mean(0), terms.std(0, correction=0) / len(terms) ** 0.5
