# Your actions are int32, which indexing and gather do not take; int64 is due.
import torch


def sample_actions(logits, generator):
    actions = torch.multinomial(torch.softmax(logits, -1), 1, generator=generator).squeeze(1)
    return actions.to(torch.int32), select_log_probs(logits, actions)
