# Style: a nested helper, a print and a warning.
import warnings

import torch


def approx_kl(new_log_probs, old_log_probs):
    def k3(log_ratio):
        return (log_ratio.exp() - 1) - log_ratio

    value = k3(log_ratio=new_log_probs.data - old_log_probs.data).mean()
    if value > 0.05:
        warnings.warn("the policy has moved far")
    print(f"KL {value:.4f}")
    return float(value)
