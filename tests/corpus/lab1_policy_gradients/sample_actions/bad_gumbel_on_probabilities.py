# You add Gumbel noise to the probabilities; it belongs to the logits.
import torch


def sample_actions(logits, generator):
    noise = -torch.empty_like(logits).exponential_(generator=generator).log()
    actions = (torch.softmax(logits, -1) + noise).argmax(-1)
    return actions, select_log_probs(logits, actions)
