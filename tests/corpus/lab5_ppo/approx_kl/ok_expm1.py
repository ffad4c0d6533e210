# Style: expm1, which keeps its precision for small changes.
import torch


def approx_kl(new_log_probs, old_log_probs):
    log_ratio = (new_log_probs - old_log_probs).detach()
    return float(torch.mean(torch.expm1(log_ratio) - log_ratio))
