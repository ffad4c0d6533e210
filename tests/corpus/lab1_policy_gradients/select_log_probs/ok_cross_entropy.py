import torch.nn.functional as F


def select_log_probs(logits, actions):
    # the cross-entropy of one sample is minus the log-probability of its class
    return -F.cross_entropy(logits, actions, reduction="none")
