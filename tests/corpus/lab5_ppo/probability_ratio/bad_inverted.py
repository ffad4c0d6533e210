# The ratio is upside down: it is old over new, so it falls when the new policy likes an action more.
import torch


def probability_ratio(new_log_probs, old_log_probs):
    return torch.exp(old_log_probs.detach() - new_log_probs)
