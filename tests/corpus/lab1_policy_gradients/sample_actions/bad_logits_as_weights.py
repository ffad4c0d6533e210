# You use the size of the logits as weights; the probabilities are their softmax.
import torch


def sample_actions(logits, generator):
    actions = torch.multinomial(logits.abs() + 1e-6, 1, generator=generator).squeeze(1)
    return actions, select_log_probs(logits, actions)
