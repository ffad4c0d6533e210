# You draw for the first row of the batch only.
import torch


def sample_actions(logits, generator):
    actions = torch.multinomial(torch.softmax(logits[0], -1), 1, generator=generator)
    return actions, torch.log_softmax(logits, -1)[0, actions]
