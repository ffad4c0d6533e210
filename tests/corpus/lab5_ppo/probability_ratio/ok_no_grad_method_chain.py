# Style: old log-probs frozen under no_grad, then a chain of tensor methods.
import torch


def probability_ratio(new_log_probs, old_log_probs):
    with torch.no_grad():
        anchor = old_log_probs.clone()
    return new_log_probs.sub(anchor).exp()
