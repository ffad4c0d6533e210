# You average the ratio first and take its logarithm afterwards: the logarithm of a mean is not the mean of the logarithms.
import torch


def approx_kl(new_log_probs, old_log_probs):
    ratio = torch.exp(new_log_probs - old_log_probs).mean()
    return ((ratio - 1) - torch.log(ratio)).item()
