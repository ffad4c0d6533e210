# You make a generator of your own and do not use the one that is passed in.
import torch


def sample_actions(logits, generator):
    mine = torch.Generator().manual_seed(42)
    actions = torch.multinomial(torch.softmax(logits, -1), 1, generator=mine).squeeze(1)
    return actions, select_log_probs(logits, actions)
