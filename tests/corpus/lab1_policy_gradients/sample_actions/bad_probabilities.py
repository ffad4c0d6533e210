# You return the probabilities of the actions, not their logarithms.
import torch


def sample_actions(logits, generator):
    p = torch.softmax(logits, -1)
    actions = torch.multinomial(p, 1, generator=generator).squeeze(1)
    return actions, p.gather(1, actions[:, None]).squeeze(1)
