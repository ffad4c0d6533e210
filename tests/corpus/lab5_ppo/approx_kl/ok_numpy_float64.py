# Style: numpy in float64.
import numpy as np
import torch


def approx_kl(new_log_probs, old_log_probs):
    log_r = new_log_probs.detach().numpy().astype(np.float64) - old_log_probs.detach().numpy()
    return float(np.mean(np.exp(log_r) - 1.0 - log_r))
