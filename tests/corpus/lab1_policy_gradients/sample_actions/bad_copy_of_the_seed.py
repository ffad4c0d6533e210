# You make a new generator from the seed of the one passed in: it never moves on.
import torch


def sample_actions(logits, generator):
    mine = torch.Generator().manual_seed(generator.initial_seed())
    actions = torch.multinomial(torch.softmax(logits, -1), 1, generator=mine).squeeze(1)
    return actions, select_log_probs(logits, actions)
