# You draw one noise for each action and add the same to all rows, so that the rows are not independent.
import torch


def sample_actions(logits, generator):
    noise = -torch.empty(logits.shape[-1]).exponential_(generator=generator).log()
    actions = (logits + noise).argmax(-1)
    return actions, select_log_probs(logits, actions)
