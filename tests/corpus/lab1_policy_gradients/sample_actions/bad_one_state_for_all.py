# You draw all actions from the policy of the first row.
import torch


def sample_actions(logits, generator):
    p = torch.softmax(logits[0], -1)
    actions = torch.multinomial(p, len(logits), replacement=True, generator=generator)
    return actions, select_log_probs(logits, actions)
