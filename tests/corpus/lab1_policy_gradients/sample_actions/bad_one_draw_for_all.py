# You draw one random number for the whole batch: rows of the same state always get the same action.
import torch


def sample_actions(logits, generator):
    cumulative = torch.softmax(logits, -1).cumsum(-1)
    uniform = torch.rand(1, generator=generator)
    actions = (uniform > cumulative).sum(-1).clamp(max=logits.shape[-1] - 1)
    return actions, select_log_probs(logits, actions)
