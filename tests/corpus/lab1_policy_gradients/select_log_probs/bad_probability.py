# You return the probability of the action, not its logarithm.
import torch


def select_log_probs(logits, actions):
    return torch.softmax(logits, -1).gather(-1, actions[:, None]).squeeze(-1)
