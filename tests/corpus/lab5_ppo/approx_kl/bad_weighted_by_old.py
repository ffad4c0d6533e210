# You weight each sample with its old probability, as a library function for whole distributions does: the samples come from the old policy already, so that probability counts twice.
import torch


def approx_kl(new_log_probs, old_log_probs):
    weights = torch.exp(old_log_probs)
    return (weights * (old_log_probs - new_log_probs)).mean().item()
