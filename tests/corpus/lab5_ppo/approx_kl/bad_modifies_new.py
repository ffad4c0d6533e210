# Your function changes new_log_probs in place: the loss computed from them afterwards would be wrong.
import torch


def approx_kl(new_log_probs, old_log_probs):
    with torch.no_grad():
        new_log_probs -= old_log_probs
        return ((new_log_probs.exp() - 1) - new_log_probs).mean().item()
