# You draw all actions from the average of the rows' policies.
import torch


def sample_actions(logits, generator):
    p = torch.softmax(logits, -1).mean(0)
    actions = torch.multinomial(p, len(logits), replacement=True, generator=generator)
    return actions, select_log_probs(logits, actions)
