# You use the logarithm to base 2; log-probabilities are natural logarithms here.
import torch


def select_log_probs(logits, actions):
    return torch.log_softmax(logits, -1).gather(-1, actions[:, None]).squeeze(-1) / 0.6931472
