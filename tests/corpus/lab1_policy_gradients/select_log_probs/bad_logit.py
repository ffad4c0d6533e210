# You return the logit of the action: it is not normalized, so a constant added to all logits changes it.
import torch


def select_log_probs(logits, actions):
    return logits.gather(-1, actions[:, None]).squeeze(-1)
