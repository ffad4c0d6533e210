# You draw twice: one action is returned, and the log-probability belongs to the other.
import torch


def sample_actions(logits, generator):
    p = torch.softmax(logits, -1)
    actions = torch.multinomial(p, 1, generator=generator).squeeze(1)
    others = torch.multinomial(p, 1, generator=generator).squeeze(1)
    return actions, select_log_probs(logits, others)
