# Your result has an extra dimension, [B, 1] instead of [B]: multiplied with advantages of shape [B] it would silently become [B, B].
import torch


def probability_ratio(new_log_probs, old_log_probs):
    new = new_log_probs.reshape(-1, 1)
    old = old_log_probs.detach().reshape(-1, 1)
    return torch.exp(new - old)
