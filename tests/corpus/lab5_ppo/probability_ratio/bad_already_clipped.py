# Your ratio is already clipped to a fixed band: clipping belongs into the loss, the ratio itself may be any positive number.
import torch


def probability_ratio(new_log_probs, old_log_probs):
    ratio = torch.exp(new_log_probs - old_log_probs.detach())
    return torch.clamp(ratio, 0.8, 1.2)
