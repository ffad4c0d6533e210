# You take the logarithm of a log-softmax.
import torch


def select_log_probs(logits, actions):
    log_p = torch.log_softmax(logits, -1).gather(-1, actions[:, None]).squeeze(-1)
    return torch.log(-log_p)
