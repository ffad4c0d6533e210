# Your loss has the right gradient and another value: the mean of the weights, whatever the log-probabilities are.
import torch


def pg_surrogate_loss(log_probs, weights):
    return -((log_probs - log_probs.detach()).exp() * weights.detach()).mean()
