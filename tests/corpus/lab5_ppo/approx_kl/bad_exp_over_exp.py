# You leave log space too early: when both probabilities are tiny they round to 0, and 0/0 makes the whole estimate NaN.
import torch


def approx_kl(new_log_probs, old_log_probs):
    ratio = torch.exp(new_log_probs) / torch.exp(old_log_probs)
    return ((ratio - 1) - torch.log(ratio)).mean().item()
