# squeeze() without a dimension also removes the batch when it holds one sample.
import torch


def select_log_probs(logits, actions):
    return torch.log_softmax(logits, -1).gather(-1, actions[:, None]).squeeze()
