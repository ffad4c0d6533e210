import torch


def select_log_probs(logits, actions):
    return torch.log_softmax(logits, dim=1).gather(1, actions[:, None]).squeeze(1)
