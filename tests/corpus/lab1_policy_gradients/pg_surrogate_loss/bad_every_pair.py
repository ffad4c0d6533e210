# A column of log-probabilities meets a row of weights: every action is weighted with every weight.
import torch


def pg_surrogate_loss(log_probs, weights):
    return -(log_probs.unsqueeze(1) * weights.detach()).mean()
