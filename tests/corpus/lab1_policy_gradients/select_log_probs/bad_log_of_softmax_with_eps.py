# You add a small number to the probability before the logarithm: no more minus infinity, but rare actions get a wrong log-probability.
import torch


def select_log_probs(logits, actions):
    p = torch.softmax(logits, -1).gather(-1, actions[:, None]).squeeze(-1)
    return torch.log(p + 1e-8)
