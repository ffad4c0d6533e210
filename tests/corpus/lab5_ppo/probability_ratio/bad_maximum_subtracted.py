# You subtract the largest entry of the batch first, as one does in a softmax: there it cancels, here it rescales every ratio, so that none is above 1.
import torch


def probability_ratio(new_log_probs, old_log_probs):
    log_ratio = new_log_probs - old_log_probs.detach()
    return torch.exp(log_ratio - log_ratio.max())
