# Style: the formula as written, under no_grad, .item() at the end.
import torch


def approx_kl(new_log_probs, old_log_probs):
    with torch.no_grad():
        log_ratio = new_log_probs - old_log_probs
        ratio = torch.exp(log_ratio)
        return ((ratio - 1) - log_ratio).mean().item()
