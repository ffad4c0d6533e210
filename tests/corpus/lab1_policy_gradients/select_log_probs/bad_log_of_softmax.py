# You take the logarithm of a softmax: where a probability is too small for float32, that is log 0, minus infinity.
import torch


def select_log_probs(logits, actions):
    return torch.log(torch.softmax(logits, -1)).gather(-1, actions[:, None]).squeeze(-1)
