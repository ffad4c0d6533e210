# Only the part with the ratio is left, the part with its logarithm is missing: this can be negative and is about 0 on average.
import torch


def approx_kl(new_log_probs, old_log_probs):
    ratio = torch.exp(new_log_probs - old_log_probs)
    return (ratio - 1).mean().item()
