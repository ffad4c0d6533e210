# You average the log-ratio first and put the mean into the formula: changes up and down cancel before they are counted.
import torch


def approx_kl(new_log_probs, old_log_probs):
    log_ratio = (new_log_probs - old_log_probs).mean()
    return (torch.exp(log_ratio) - 1 - log_ratio).item()
