# Style: the three means separately: mean ratio, minus one, plus the mean of old minus new.
import torch


def approx_kl(new_log_probs, old_log_probs):
    new, old = new_log_probs.detach().double(), old_log_probs.detach().double()
    count = new.numel()
    mean_ratio = torch.exp(new - old).sum() / count
    mean_difference = (old - new).sum() / count
    return (mean_ratio - 1 + mean_difference).item()
