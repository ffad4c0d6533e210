# You return the log-probability of the likeliest action, not of the one you drew.
import torch


def sample_actions(logits, generator):
    actions = torch.multinomial(torch.softmax(logits, -1), 1, generator=generator).squeeze(1)
    return actions, torch.log_softmax(logits, -1).max(dim=-1).values
